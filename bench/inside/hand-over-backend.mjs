// SPDX-License-Identifier: Apache-2.0
// The application of bench/hand-over: it lets everybody pass, and either names the guarded file or sends it.
//   node bench/inside/hand-over-backend.mjs SOCKET DIRECTORY
import express from 'express';

const [socket, directory] = process.argv.slice(2);
const app = express();
app.get('/handed-over/:name', ({ params }, response) => {
  response.set('X-Accel-Redirect', `/guarded/${encodeURIComponent(params.name)}`);
  response.type('video/mp4').end();
});
app.get('/streamed/:name', ({ params }, response) => {
  response.sendFile(params.name, { root: directory });
});
app.listen(socket);
