// SPDX-License-Identifier: Apache-2.0
import { testCaam } from './caam.js';

await testCaam('imx8mp-gcm-100us');
