// See history.ts.

import { testHistories } from './suite.js';

testHistories(0, 2);
