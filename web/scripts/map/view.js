// @ts-check
/** @import { Point, Posting, Dong } from "../types.js" */
import { METRES_PER_DEGREE, Projection } from "../domain/geo.js";
import { placesOf } from "../domain/postings.js";
import { s } from "../ui/dom.js";
import { Camera } from "./camera.js";
import { spotsOf } from "./clusters.js";
import { placeLabels } from "./labels.js";
import { listen } from "./gestures.js";

const ICON_PX = 24;
export const WALK_M = 700;

/** @typedef {Omit<import("./gestures.js").Acts, "onPress" | "onCitizenDrag"> & { onMove: (to: Point, done: boolean) => void, onPick: (posting: Posting) => void }} MapActs */

/** The district drawn to scale from its boundaries alone, with what is open and the citizen on it. */
export class MapView {
  /** @type {{ x: number, y: number, posting: Posting }[]} */
  #places = [];
  /** @type {{ step: number, spots: import("./clusters.js").Spot[] }} */
  #grouped = { step: NaN, spots: [] };
  /** @type {Map<string, any>} */
  #marks = new Map();
  /** @type {string | null} */
  #selected = null;
  /** @type {[number, number] | null} */
  #citizen = null;
  #frame = 0;
  /** @type {Dong[]} larger ones first: their names are placed first */
  #byArea;

  /** @param {HTMLElement} root @param {Dong[]} dongs @param {MapActs} acts */
  constructor(root, dongs, acts) {
    this.root = root;
    this.dongs = dongs;
    this.#byArea = [...dongs].sort((a, b) => b.area - a.area);
    this.acts = acts;
    this.projection = new Projection(dongs[0].label);
    this.camera = new Camera(this.#bounds(), () => this.#draw());
    this.#build();
    listen(root, this.camera, { ...acts, onPress: this.#press, onCitizenDrag: (px, py, done) => acts.onMove(this.#point(px, py), done) });
    new ResizeObserver(() => this.camera.resize(root.clientWidth, root.clientHeight)).observe(root);
    this.camera.resize(root.clientWidth, root.clientHeight);
    this.camera.seeAll(false);
  }

  #bounds() {
    const corners = this.dongs.flatMap((dong) => dong.rings.flat()).map(([lon, lat]) => this.projection.to({ lat, lon }));
    const [xs, ys] = [corners.map((c) => c[0]), corners.map((c) => c[1])];
    return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
  }

  #build() {
    this.paths = this.dongs.map((dong) => s("path", { class: "dong", d: this.#outline(dong), "data-code": dong.code }, s("title")));
    this.paths.forEach((path, i) => (path.firstChild.textContent = this.dongs[i].name));
    this.labels = this.dongs.map((dong) => {
      const label = s("text", { class: "dong-name" });
      label.textContent = dong.name;
      return label;
    });
    this.circle = s("circle", { class: "walk", r: WALK_M, visibility: "hidden" });
    this.world = s("g", {}, ...this.paths, this.circle);
    this.names = s("g", {}, ...this.labels);
    this.markers = s("g", {});
    this.person = s("g", { class: "citizen-mark", visibility: "hidden" }, s("circle", { class: "halo", r: 18 }), s("circle", { class: "dot", r: 9 }));
    this.root.replaceChildren(s("svg", { "aria-hidden": "true", focusable: "false" }, this.world, this.markers, this.names, this.person));
  }

  /** @param {Dong} dong */
  #outline(dong) {
    const line = (/** @type {number[][]} */ ring) =>
      ring.map(([lon, lat]) => this.projection.to({ lat, lon }).map((m) => m.toFixed(0)).join(",")).join("L");
    return dong.rings.map((ring) => `M${line(ring)}Z`).join("");
  }

  /** @param {Posting[]} postings */
  showPostings(postings) {
    this.#places = postings.flatMap((posting) =>
      placesOf(posting, this.dongs).map((place) => {
        const [x, y] = this.projection.to(place);
        return { x, y, posting };
      }),
    );
    this.#grouped.step = NaN;
    this.#draw();
  }

  /** @param {Point} at @param {boolean} located @param {string | null} dongCode */
  showCitizen(at, located, dongCode) {
    this.#citizen = this.projection.to(at);
    for (const path of this.paths ?? []) path.classList.toggle("here", path.dataset.code === dongCode);
    this.person.classList.toggle("located", located);
    for (const element of [this.circle, this.person]) element.removeAttribute("visibility");
    this.#draw();
  }

  follow() {
    if (this.#citizen) this.camera.follow(...this.#citizen);
  }

  seeCitizen() {
    if (this.#citizen) this.camera.show(...this.#citizen, Math.min(0.16, Math.min(this.root.clientWidth, this.root.clientHeight) / (WALK_M * 3.2)));
  }

  /** @param {Posting | null} posting @param {boolean} [show] */
  select(posting, show = false) {
    this.#selected = posting?.id ?? null;
    if (posting && show) {
      const [place] = placesOf(posting, this.dongs);
      if (place) this.camera.show(...this.projection.to(place));
    }
    this.#draw();
  }

  /** @param {number} px @param {number} py */
  #point(px, py) {
    const { lat, lon } = this.projection.from(...this.camera.toWorld(px, py));
    return { lat: Number(lat.toFixed(6)), lon: Number(lon.toFixed(6)) };
  }

  #press = (/** @type {number} */ px, /** @type {number} */ py, /** @type {Element} */ target) => {
    const mark = target.closest("[data-spot]");
    const spot = mark && this.#grouped.spots.find(({ key }) => key === mark.getAttribute("data-spot"));
    if (!spot) this.acts.onMove(this.#point(px, py), true);
    else if (spot.postings.length > 1 && this.camera.scale < 0.5) this.camera.show(spot.x, spot.y, this.camera.scale * 2.1);
    else this.acts.onPick(this.#nextOf(spot.postings));
  };

  /** Pressing a stack again and again shows one after the other. @param {Posting[]} postings */
  #nextOf(postings) {
    return postings[(postings.findIndex(({ id }) => id === this.#selected) + 1) % postings.length];
  }

  #draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const { scale } = this.camera;
      const [tx, ty] = this.camera.toScreen(0, 0);
      this.world.setAttribute("transform", `matrix(${scale} 0 0 ${scale} ${tx} ${ty})`);
      this.#drawLabels(this.#drawMarkers());
      this.#drawCitizen();
    });
  }

  #drawCitizen() {
    if (!this.#citizen) return;
    const [x, y] = this.#citizen;
    this.circle.setAttribute("cx", x);
    this.circle.setAttribute("cy", y);
    this.person.setAttribute("transform", `translate(${this.camera.toScreen(x, y)})`);
  }

  /** @param {[number, number][]} marks */
  #drawLabels(marks) {
    const wanted = this.#byArea.map((dong) => ({ at: this.camera.toScreen(...this.projection.to(dong.label)), name: dong.name, room: Math.sqrt(dong.area) * METRES_PER_DEGREE * this.camera.scale * 0.45 }));
    const placed = placeLabels(wanted, marks);
    this.#byArea.forEach((dong, i) => {
      const label = this.labels?.[this.dongs.indexOf(dong)];
      label.classList.toggle("waiting", !placed[i]);
      if (placed[i]) label.setAttribute("transform", `translate(${placed[i]})`);
    });
  }

  /** @returns {[number, number][]} where on the screen they are */
  #drawMarkers() {
    const { scale, size } = this.camera;
    const step = scale >= 0.5 ? Infinity : Math.floor(Math.log2(scale));
    if (step !== this.#grouped.step) this.#grouped = { step, spots: spotsOf(this.#places, scale) };
    const seen = new Map();
    /** @type {[number, number][]} */
    const places = [];
    for (const spot of this.#grouped.spots) {
      const [x, y] = this.camera.toScreen(spot.x, spot.y);
      if (x < -ICON_PX || y < -ICON_PX || x > size.width + ICON_PX || y > size.height + ICON_PX) continue;
      const look = spot.postings.length > 1 ? `n${spot.postings.length}` : spot.postings[0].kind;
      const name = `${spot.key} ${look}`;
      const mark = this.#marks.get(name) ?? this.#mark(spot, look);
      mark.setAttribute("transform", `translate(${x} ${y})`);
      mark.classList.toggle("selected", spot.postings.some(({ id }) => id === this.#selected));
      seen.set(name, mark);
      places.push([x, y]);
    }
    this.#marks.forEach((mark, name) => seen.has(name) || mark.remove());
    this.#marks = seen;
    return places;
  }

  /** @param {import("./clusters.js").Spot} spot @param {string} look */
  #mark(spot, look) {
    const half = ICON_PX / 2;
    const shape = s("use", { href: `images/icons.svg#${look}`, width: ICON_PX, height: ICON_PX, x: -half, y: -half });
    const many = [s("circle", { class: "many", r: 13 }), s("text", { class: "many-count" })];
    many[1].textContent = String(spot.postings.length);
    const parts = spot.postings.length > 1 ? many : [s("circle", { class: "ring", r: 17 }), shape];
    const mark = s("g", { class: `mark kind-${look}`, "data-spot": spot.key }, ...parts);
    this.markers.append(mark);
    return mark;
  }
}
