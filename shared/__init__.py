"""What every service shares: contracts, messaging, geography, identity, web conventions, telemetry. Imports no service."""
