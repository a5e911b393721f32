// See history.ts.

import { testHistories } from './suite.js';

testHistories(1, 2);
