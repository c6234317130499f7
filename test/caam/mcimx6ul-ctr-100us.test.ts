// SPDX-License-Identifier: Apache-2.0
import { testCaam } from './caam.js';

await testCaam('mcimx6ul-ctr-100us');
