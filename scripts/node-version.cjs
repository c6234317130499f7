// SPDX-License-Identifier: Apache-2.0
// Before `npm start`, `npm test` and the program (scripts/compile.mjs) load anything: a Node that is too old gets one sentence, not a
// SyntaxError. In the syntax of every Node, therefore.
'use strict';

var needed = 20;
var major = parseInt(process.versions.node, 10);
if (major < needed) {
  process.stderr.write(
    'spliced: Node ' +
      needed +
      ' or newer is needed (24 is recommended); this is ' +
      process.versions.node +
      '. README.md says where to get it.\n',
  );
  process.exitCode = 1;
}
