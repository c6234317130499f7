// SPDX-License-Identifier: Apache-2.0
// The kernel's name for this boot: another one, and the device has booted meanwhile.

import { readFileSync } from 'node:fs';

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
