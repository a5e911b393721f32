// One suite, every home.

import { openDirect, openSteppedLane, openThreadedLane } from './homes.js';
import { describeTopicHome } from './topic-home-suite.js';

describeTopicHome('on the accept thread', openDirect);
describeTopicHome('in a lane that is stepped', openSteppedLane(2 ** 16));
describeTopicHome('in a lane with its own thread', openThreadedLane(2 ** 16));
