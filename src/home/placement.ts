/** Placement: which home a topic gets, by the rules of the configuration. */

/** Home of a topic on the accept thread; lanes are 0, 1, 2 … */
export const COLD = -1;

/** `auto` begins cold and goes where its load belongs; all others pin the topic. */
export type Home = 'auto' | 'cold' | 'hot' | number;

/** The lane of a new topic, or COLD. Without lanes every topic is cold. */
export function laneOf(name: string, home: Home, lanes: number): number {
  if (home === 'auto' || home === 'cold' || lanes === 0) return COLD;
  return home === 'hot' ? hashOf(name) % lanes : home;
}

/** FNV-1a over UTF-16 code units (Fowler, Noll, Vo): spreads names that differ in their last character only. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
