// @ts-check

const CLICK_PX = 5;
const PAN_KEYS = { KeyW: [0, 80], KeyS: [0, -80], KeyA: [80, 0], KeyD: [-80, 0] };
const MOVE_KEYS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const STEP_M = 50;
const LONG_STEP_M = 200;

/**
 * Mouse, touch, pen and keyboard on the map, told as acts.
 *
 * @typedef {object} Acts
 * @property {(px: number, py: number, target: Element) => void} onPress  a click or tap that dragged nothing
 * @property {(px: number, py: number, done: boolean) => void} onCitizenDrag
 * @property {(eastM: number, northM: number) => void} onStep
 * @property {() => void} onCentre
 */

/** @param {HTMLElement} map @param {import("./camera.js").Camera} camera @param {Acts} acts */
export function listen(map, camera, acts) {
  /** @type {Map<number, { x: number, y: number }>} */
  const pointers = new Map();
  let drag = { citizen: false, far: false, startX: 0, startY: 0 };

  const at = (/** @type {PointerEvent | WheelEvent} */ event) => {
    const box = map.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  map.addEventListener("pointerdown", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (event.button !== 0) return;
    const point = at(event);
    if (!pointers.size) drag = { citizen: Boolean(target.closest(".citizen-mark")), far: false, startX: point.x, startY: point.y };
    pointers.set(event.pointerId, point);
  });

  map.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const point = at(event);
    if (!drag.far && Math.hypot(point.x - drag.startX, point.y - drag.startY) < CLICK_PX) return;
    if (!drag.far) map.setPointerCapture(event.pointerId);
    drag.far = true;
    if (pointers.size === 2) pinch(event.pointerId, before, point);
    else if (drag.citizen) acts.onCitizenDrag(point.x, point.y, false);
    else camera.pan(point.x - before.x, point.y - before.y);
    pointers.set(event.pointerId, point);
  });

  /** @param {number} id @param {{ x: number, y: number }} before @param {{ x: number, y: number }} now */
  function pinch(id, before, now) {
    const other = [...pointers].find(([key]) => key !== id)?.[1] ?? now;
    const apart = (/** @type {{ x: number, y: number }} */ p) => Math.max(1, Math.hypot(p.x - other.x, p.y - other.y));
    camera.zoomAt(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    camera.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  const lift = (/** @type {PointerEvent} */ event) => {
    if (!pointers.delete(event.pointerId) || pointers.size) return;
    const point = at(event);
    if (drag.far && drag.citizen) acts.onCitizenDrag(point.x, point.y, true);
    else if (!drag.far && event.type === "pointerup") acts.onPress(point.x, point.y, /** @type {Element} */ (event.target));
  };
  map.addEventListener("pointerup", lift);
  map.addEventListener("pointercancel", lift);

  map.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = at(event);
      camera.zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), x, y);
    },
    { passive: false },
  );
  map.addEventListener("keydown", (event) => onKey(event, camera, acts));
}

/** @param {KeyboardEvent} event @param {import("./camera.js").Camera} camera @param {Acts} acts */
function onKey(event, camera, acts) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const move = MOVE_KEYS[/** @type {keyof typeof MOVE_KEYS} */ (event.key)];
  const pan = PAN_KEYS[/** @type {keyof typeof PAN_KEYS} */ (event.code)];
  const step = event.shiftKey ? LONG_STEP_M : STEP_M;
  if (move) acts.onStep(move[0] * step, move[1] * step);
  else if (pan) camera.pan(pan[0], pan[1]);
  else if (event.key === "+" || event.key === "=") camera.zoom(1.5);
  else if (event.key === "-" || event.key === "_") camera.zoom(1 / 1.5);
  else if (event.key === "0") camera.seeAll();
  else if (event.code === "KeyC") acts.onCentre();
  else return;
  event.preventDefault();
}
