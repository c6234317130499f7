// SPDX-License-Identifier: Apache-2.0
import { testBoard } from './boards.js';

await testBoard('mcimx6ul-armhf');
