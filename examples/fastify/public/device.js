// SPDX-License-Identifier: Apache-2.0
const response = await fetch('/api/device');
const { name } = await response.json();
document.getElementById('name').textContent = name;
