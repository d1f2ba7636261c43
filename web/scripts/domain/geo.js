// @ts-check
/** @import { Point, Dong } from "../types.js" */

const EARTH_M = 6_371_008.8;
const RAD = Math.PI / 180;
export const METRES_PER_DEGREE = EARTH_M * RAD;

/** Great-circle distance in metres. @param {Point} a @param {Point} b */
export function distanceM(a, b) {
  const dLat = (b.lat - a.lat) * RAD;
  const dLon = (b.lon - a.lon) * RAD;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a.lat * RAD) * Math.cos(b.lat * RAD) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The 100 m step a distance is shown as: rounded up, at least one step. @param {number} metres */
export const bucketM = (metres) => Math.max(1, Math.ceil(metres / 100)) * 100;

/** @param {Point} from @param {number} eastM @param {number} northM @returns {Point} */
export function moved(from, eastM, northM) {
  const lat = from.lat + northM / METRES_PER_DEGREE;
  const lon = from.lon + eastM / (METRES_PER_DEGREE * Math.cos(from.lat * RAD));
  return { lat: Number(lat.toFixed(6)), lon: Number(lon.toFixed(6)) };
}

/** A flat picture of the district in metres, x east and y south of its centre: true to scale within 0.2 %. */
export class Projection {
  /** @param {Point} centre */
  constructor(centre) {
    this.centre = centre;
    this.perLon = METRES_PER_DEGREE * Math.cos(centre.lat * RAD);
  }

  /** @param {Point} point @returns {[number, number]} */
  to(point) {
    return [(point.lon - this.centre.lon) * this.perLon, (this.centre.lat - point.lat) * METRES_PER_DEGREE];
  }

  /** @param {number} x @param {number} y @returns {Point} */
  from(x, y) {
    return { lat: this.centre.lat - y / METRES_PER_DEGREE, lon: this.centre.lon + x / this.perLon };
  }
}

/** @param {number[][]} ring @param {Point} p */
function crossesOdd(ring, { lat, lon }) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > lat !== yj > lat && lon < ((xj - xi) * (lat - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** @param {Dong} dong @param {Point} point */
export const contains = (dong, point) => dong.rings.reduce((inside, ring) => inside !== crossesOdd(ring, point), false);

/** @param {Dong[]} dongs @param {Point} point */
export const dongAt = (dongs, point) => dongs.find((dong) => contains(dong, point)) ?? null;

/** @param {number[][]} ring */
function centroid(ring) {
  let area = 0;
  let x = 0;
  let y = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const cross = ring[j][0] * ring[i][1] - ring[i][0] * ring[j][1];
    area += cross / 2;
    x += (ring[j][0] + ring[i][0]) * cross;
    y += (ring[j][1] + ring[i][1]) * cross;
  }
  return { area: Math.abs(area), lon: x / (6 * area), lat: y / (6 * area) };
}

/** The inner stretch of the ring at this latitude that is widest. @param {number[][]} ring @param {number} lat */
function widest(ring, lat) {
  const xs = [];
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > lat !== yj > lat) xs.push(((xj - xi) * (lat - yi)) / (yj - yi) + xi);
  }
  xs.sort((a, b) => a - b);
  let best = { width: 0, lon: xs[0] ?? 0 };
  for (let i = 0; i + 1 < xs.length; i += 2) {
    if (xs[i + 1] - xs[i] > best.width) best = { width: xs[i + 1] - xs[i], lon: (xs[i] + xs[i + 1]) / 2 };
  }
  return best;
}

/** Dongs from GeoJSON, each with a place for its name that lies inside it. @param {any} geojson @returns {Dong[]} */
export function dongsOf(geojson) {
  return geojson.features.map((/** @type {any} */ feature) => {
    const { type, coordinates } = feature.geometry;
    const polygons = type === "Polygon" ? [coordinates] : coordinates;
    const centres = polygons.map((/** @type {number[][][]} */ polygon) => centroid(polygon[0]));
    const largest = centres.reduce((/** @type {number} */ best, /** @type {any} */ c, /** @type {number} */ i) => (c.area > centres[best].area ? i : best), 0);
    const { lat, lon, area } = centres[largest];
    const inside = crossesOdd(polygons[largest][0], { lat, lon });
    const properties = feature.properties;
    return {
      code: String(properties.code_from_2026_07 ?? properties.code),
      name: properties.name,
      rings: polygons.flat(),
      label: { lat, lon: inside ? lon : widest(polygons[largest][0], lat).lon },
      area,
    };
  });
}
