// @ts-check
/** @import { Point } from "./types.js" */
import { Citizen } from "./citizen.js";
import { dongAt, dongsOf, moved } from "./domain/geo.js";
import { KINDS, openPostings, postingOf } from "./domain/postings.js";
import { Inbox } from "./inbox.js";
import { MapView, WALK_M } from "./map/view.js";
import { Api, ApiError } from "./net/api.js";
import { Session, issuerAnswers } from "./net/session.js";
import { SampleOfficer } from "./officer.js";
import { Replay } from "./replay.js";
import { newStore } from "./state.js";
import { hide, tell, told } from "./ui/banner.js";
import { detailCard } from "./ui/cards.js";
import { drawLive, wireTabs, wireTools } from "./ui/chrome.js";
import { drawCitizen, drawReplay } from "./ui/citizen-card.js";
import { byId } from "./ui/dom.js";
import { keptLang, t, useLang } from "./ui/i18n.js";
import { areasOf, drawAll, drawInbox, drawNearby, shownPostings } from "./ui/lists.js";
import { officerPanel } from "./ui/officer-card.js";
import { drawStatistics } from "./ui/statistics.js";
import { throttled } from "./throttle.js";
import { toast } from "./ui/toasts.js";

const SETTLE_MS = 1_000;
const NEARBY_EVERY_MS = 2_000;
const RELOAD_EVERY_MS = 60_000;
const SAMPLE = new URLSearchParams(location.search).get("citizen") ?? "sample-017";

const store = newStore();
const publicApi = new Api();
const session = new Session(`citizen:${SAMPLE}`, () => {
  if (!session.pasted) return;
  store.set({ session: "no-issuer", consent: null });
  tell(t("token-refused"));
});
const citizen = new Citizen(session.api, store, report);
const inbox = new Inbox(session.api, store, { onAlert, onError: report });
const replay = new Replay(store, {
  onPoint: (at) => move(at, { keep: true, follow: true }),
  onBetween: (at) => store.set({ at }),
});
const panel = officerPanel(store, new SampleOfficer(), reload);
const reloadSoon = throttled(reload, 1_500);
/** @type {MapView | null} */
let map = null;

/** @param {unknown} error */
function report(error) {
  if (!(error instanceof ApiError)) throw error;
  tell(told(error), { forS: error.status === 429 ? (error.retryAfterS ?? 1) : undefined });
}

/** @param {() => Promise<unknown>} act */
async function busily(act) {
  store.set({ busy: true });
  await act().catch(report);
  store.set({ busy: false });
}

/** @param {Point} at @param {{ keep?: boolean, follow?: boolean, send?: boolean }} [how] */
function move(at, { keep = false, follow = false, send = true } = {}) {
  if (send) citizen.moveTo(at, keep);
  else store.set({ at });
  settle();
  if (follow) requestAnimationFrame(() => map?.follow());
}

const settle = throttled(() => {
  const { at, dongs } = store.state;
  store.set({ settled: at, here: dongAt(dongs, at) });
  refreshNearby();
}, SETTLE_MS);

const refreshNearby = throttled(async () => {
  if (store.state.session !== "signed") return undefined;
  const { lat, lon } = store.state.at;
  try {
    const { items } = await session.api.get(`/api/matching/nearby?lat=${lat.toFixed(5)}&lon=${lon.toFixed(5)}&radius_m=${WALK_M}`);
    store.set({
      nearby: items.map((/** @type {any} */ item) => ({ posting: postingOf(item.posting, item.posting.kind), distance_m: item.distance_m })),
    });
  } catch (error) {
    if (error instanceof ApiError && error.status === 429) return (error.retryAfterS ?? 1) * 1_000;
    report(error);
  }
  return undefined;
}, NEARBY_EVERY_MS);

async function reload() {
  const lists = await Promise.allSettled(KINDS.map((kind) => openPostings(publicApi, kind)));
  const missing = KINDS.filter((_, i) => lists[i].status === "rejected");
  const postings = KINDS.flatMap((kind, i) => {
    const list = lists[i];
    return list.status === "fulfilled" ? list.value : store.state.postings.filter((posting) => posting.kind === kind);
  });
  store.set({ postings, missing, listing: "ready", now: Date.now() });
}

/** @param {import("./types.js").InboxItem} item @param {import("./types.js").InboxItem} [before] */
function onAlert(item, before) {
  panel.arrived(item);
  if (!before || before.posting_version !== item.posting_version) toast(item, areasOf(store.state, item), () => pick(item.posting_id));
  reloadSoon();
  refreshNearby();
}

/** @param {string} postingId */
function pick(postingId) {
  const { postings, nearby } = store.state;
  const known = postings.find(({ id }) => id === postingId) ?? nearby?.find(({ posting }) => posting.id === postingId)?.posting;
  store.set({ selected: known ? postingId : null });
  map?.select(known ?? null, true);
  const detail = byId("detail");
  detail.hidden = !known;
  if (known) detail.replaceChildren(...detailCard(known, store.state.dongs, unpick));
}

function unpick() {
  store.set({ selected: null });
  map?.select(null);
  byId("detail").hidden = true;
  byId("map").focus();
}

const acts = {
  onConsent: () => busily(async () => {
    await citizen.grant();
    map?.seeCitizen();
    refreshNearby();
  }),
  onWithdraw: () => {
    replay.pause();
    return busily(() => citizen.withdraw());
  },
  onToken: (/** @type {string} */ token) => {
    session.usePasted(token);
    signedIn();
  },
  onRetry: () => signIn(),
  onGoTo: (/** @type {string} */ code) => {
    const dong = store.state.dongs.find((d) => d.code === code);
    if (dong) move(dong.label);
    requestAnimationFrame(() => map?.seeCitizen());
  },
  onStep: (/** @type {number} */ east, /** @type {number} */ north) => move(moved(store.state.at, east, north), { follow: true }),
  onReplay: () => replay.toggle(),
  onSpeed: (/** @type {number} */ speed) => replay.setSpeed(speed),
  onWatch: (/** @type {import("./types.js").Kind[]} */ kinds) => busily(() => citizen.setWatch(kinds)),
  onPick: pick,
  onRead: (/** @type {import("./types.js").InboxItem} */ item) => inbox.markRead(item),
  onWhy: (/** @type {import("./types.js").InboxItem} */ item) => inbox.why(item),
  onReload: reload,
};

async function loadDongs() {
  const geojson = await publicApi.get("/api/matching/dongs").catch(async () => {
    tell(t("error-dongs"), { forS: 8 });
    return (await fetch("data/dongs.geojson")).json();
  });
  const dongs = dongsOf(geojson);
  store.set({ dongs, here: dongAt(dongs, store.state.at) });
  map = new MapView(byId("map"), dongs, {
    onMove: (at, done) => {
      replay.pause();
      move(at, { send: done });
    },
    onStep: acts.onStep,
    onCentre: () => map?.seeCitizen(),
    onPick: ({ id }) => pick(id),
  });
}

async function signIn() {
  store.set({ session: "asking" });
  const issuer = await issuerAnswers();
  store.set({ issuer, session: issuer ? "asking" : "no-issuer" });
  if (!issuer) return;
  panel.draw();
  await signedIn();
}

async function signedIn() {
  try {
    await citizen.resume();
    store.set({ session: "signed" });
    inbox.start();
    settle();
    if (store.state.consent) citizen.moveTo(store.state.at);
  } catch (error) {
    store.set({ session: session.pasted ? "no-issuer" : "failed" });
    report(error);
  }
}

function draw() {
  store.watch(["lang", "session", "consent", "busy", "receipt", "watched", "here", "dongs"], () => drawCitizen(store, acts));
  store.watch(["replay"], () => drawReplay(store));
  store.watch(["stream", "lang"], () => drawLive(store));
  store.watch(["lang", "inbox", "session", "tab", "postings", "dongs"], () => drawInbox(store, acts));
  store.watch(["lang", "nearby", "session", "tab", "selected", "now"], () => drawNearby(store, acts));
  store.watch(["lang", "postings", "listing", "missing", "kinds", "inDong", "order", "settled", "selected", "dongs", "tab", "now"], () => drawAll(store, acts));
  store.watch(["lang", "statistics", "tab"], () => drawStatistics(store));
  store.watch(["at", "consent", "here", "dongs"], () => map?.showCitizen(store.state.at, Boolean(store.state.consent), store.state.here?.code ?? null));
  store.watch(["postings", "kinds", "inDong", "dongs", "now"], () => map?.showPostings(shownPostings(store.state)));
}

function wire() {
  wireTools((lang) => {
    store.set({ lang });
    if (store.state.issuer) panel.draw();
  });
  wireTabs((tab) => store.set({ tab }));
  byId("zoom-in").addEventListener("click", () => map?.camera.zoom(1.6));
  byId("zoom-out").addEventListener("click", () => map?.camera.zoom(1 / 1.6));
  byId("see-citizen").addEventListener("click", () => map?.seeCitizen());
  byId("see-all").addEventListener("click", () => map?.camera.seeAll());
  addEventListener("offline", () => tell(t("offline")));
  addEventListener("online", () => {
    hide();
    reload();
    inbox.load();
  });
  setInterval(() => document.hidden || reload(), RELOAD_EVERY_MS);
}

useLang(keptLang());
store.set({ lang: keptLang() });
draw();
wire();
await Promise.all([loadDongs(), reload(), signIn()]);
