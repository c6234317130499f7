// SPDX-License-Identifier: Apache-2.0
import { testBoard } from './boards.js';

await testBoard('imx8mp-armhf');
