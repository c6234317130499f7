// SPDX-License-Identifier: Apache-2.0
// The sign-in and the people of the page fit: fit.ts.

import { fit } from './fit.js';
import { peopleStates } from './states.js';

fit(peopleStates);
