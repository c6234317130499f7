// SPDX-License-Identifier: Apache-2.0
// The kernel's id of this boot. If it differs from a stored one, the device has booted meanwhile.

import { readFileSync } from 'node:fs';

export const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
