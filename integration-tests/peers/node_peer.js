// Node.js as a TLS peer. One line of JSON for each thing to tell.
//   node node_peer.js server VERSION CERT KEY       echoes what it is sent, says where it listens
//   node node_peer.js client VERSION ROOT PORT      gets https://localhost:PORT/, twice on one session
'use strict';
const fs = require('fs');
const https = require('https');
const tls = require('tls');

const [role, version, ...rest] = process.argv.slice(2);
const limits = { minVersion: version, maxVersion: version };
const tell = (event) => console.log(JSON.stringify(event));

function serve(cert, key) {
  const options = { ...limits, cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
  const server = tls.createServer(options, (socket) => {
    socket.on('error', (error) => tell({ event: 'error', message: error.message }));
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1', () => tell({ event: 'listening', port: server.address().port }));
}

function get(root, port, session, done) {
  const agent = new https.Agent({ maxCachedSessions: 0 });
  const options = { ...limits, ca: fs.readFileSync(root), host: 'localhost', port, agent, session, ALPNProtocols: ['http/1.1'] };
  let kept = null;
  const request = https.get(options, (response) => {
    const socket = response.socket;
    const seen = { protocol: socket.getProtocol(), alpn: socket.alpnProtocol, resumed: socket.isSessionReused() };
    let body = '';
    response.on('data', (chunk) => { body += chunk; });
    response.on('end', () => {
      tell({ event: 'connection', ...seen, status: response.statusCode, body });
      socket.once('close', () => done(kept));
      socket.end();
    });
  });
  request.on('socket', (socket) => socket.on('session', (ticket) => { kept = ticket; }));
  request.on('error', (error) => { tell({ event: 'error', message: error.message }); process.exitCode = 1; });
}

if (role === 'server') {
  serve(rest[0], rest[1]);
} else {
  get(rest[0], Number(rest[1]), undefined, (session) => get(rest[0], Number(rest[1]), session, () => {}));
}
