/** Homes: where topics can live: the accept thread and the lanes, by their numbers. */

import type { HomeLink } from './link.js';
import { COLD } from './placement.js';

/** The lanes, as those need them who place topics. */
export interface LaneHomes {
  readonly links: readonly HomeLink[];
  /** Topics may be placed in this lane. */
  isUsable(lane: number): boolean;
  /** Logs of ended streams that still take memory, beyond what is kept for new ones anyway. */
  readonly surplusLogs: number;
}

export class Homes {
  readonly cold: HomeLink;
  readonly lanes: LaneHomes;

  constructor(cold: HomeLink, lanes: LaneHomes) {
    this.cold = cold;
    this.lanes = lanes;
  }

  /** @param place COLD or the number of a lane */
  at(place: number): HomeLink {
    return place === COLD ? this.cold : this.lanes.links[place];
  }

  /** The place itself if topics may be put there; else COLD, where they always may. */
  usable(place: number): number {
    return place !== COLD && this.lanes.isUsable(place) ? place : COLD;
  }
}
