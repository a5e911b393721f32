// A lab around a core: its parts, by their names.

import type { Core } from '#src/engine/core.js';

export abstract class CoreParts {
  abstract readonly core: Core;

  get delivery(): Core['delivery'] {
    return this.core.delivery;
  }

  get coldLink(): Core['coldLink'] {
    return this.core.coldLink;
  }

  get lanes(): Core['lanes'] {
    return this.core.lanes;
  }

  get topics(): Core['topics'] {
    return this.core.topics;
  }

  get router(): Core['router'] {
    return this.core.router;
  }

  get handOver(): Core['handOver'] {
    return this.core.handOver;
  }

  get keeper(): Core['keeper'] {
    return this.core.keeper;
  }
}
