// A TLS peer for tests, on Node.js 0.10.28: OpenSSL 1.0.1g as it was, with SSL 3.0, export, single DES and RC2.
//
// node node010_peer.js server|client name=value ...
// The options are those of pattern.py, and tickets=no; suites are OpenSSL's.

var fs = require('fs');
var tls = require('tls');

var PERIOD = 64256;
var WINDOW = 65536;
// SSL_OP_NO_SSLv2, NO_SSLv3, NO_TLSv1 and NO_TLSv1_2: what this Node has no method for.
var NOT_TLS11 = 0x01000000 | 0x02000000 | 0x04000000 | 0x08000000;
var NOT_TLS12 = 0x01000000 | 0x02000000 | 0x04000000 | 0x10000000;
var DONT_INSERT_EMPTY_FRAGMENTS = 0x0800;
var NO_TICKET = 0x4000;
var VERSIONS = {
  'SSLv2': { method: 'SSLv2_method' },
  // Whatever both have, by a hello of whatever format.
  'any': { method: 'SSLv23_method' },
  'SSLv3': { method: 'SSLv3_method' },
  'TLSv1': { method: 'TLSv1_method' },
  'TLSv1.1': { method: 'SSLv23_method', options: NOT_TLS11 },
  'TLSv1.2': { method: 'SSLv23_method', options: NOT_TLS12 }
};

var options = {};
process.argv.slice(3).forEach(function(argument) {
  var equals = argument.indexOf('=');
  options[argument.slice(0, equals)] = argument.slice(equals + 1);
});

function print(fields) {
  process.stdout.write(JSON.stringify(fields) + '\n');
}

function pattern(seed, start, length) {
  var bytes = new Buffer(length);
  for (var i = 0; i < length; i++) {
    var at = (start + i) % PERIOD;
    bytes[i] = (31 * at + Math.floor(at / 251) + seed) % 256;
  }
  return bytes;
}

function settings(ciphers) {
  var version = VERSIONS[options.version];
  var all = { secureProtocol: version.method, ciphers: ciphers };
  all.secureOptions = (version.options || 0) | (options.fragments === 'no' ? DONT_INSERT_EMPTY_FRAGMENTS : 0) |
    (options.tickets === 'no' ? NO_TICKET : 0);
  if (options.cert) {
    all.cert = fs.readFileSync(options.cert);
    all.key = fs.readFileSync(options.key);
  }
  if (options.ca) {
    all.ca = [fs.readFileSync(options.ca)];
  }
  return all;
}

function negotiated(report, stream) {
  report.version = options.version;
  report.cipher = (stream.getCipher() || {}).name;
}

// Server

function serve() {
  var all = settings(options.ciphers.split(',').join(':'));
  all.sessionIdContext = 'echo';
  all.requestCert = !!options.clients;
  all.rejectUnauthorized = options.clients === 'require';
  var sessions = {};
  var resumed = false;
  var server = tls.createServer(all, function(stream) {
    var report = { event: 'connection', bytes: 0, clean_close: false, error: null, resumed: resumed };
    resumed = false;
    negotiated(report, stream);
    stream.setNoDelay(true);
    var peer = stream.getPeerCertificate();
    report.peer = peer && peer.subject ? peer.subject.CN : null;
    stream.on('data', function(data) {
      report.bytes += data.length;
      if (!stream.write(data)) {
        stream.pause();
      }
    });
    stream.on('drain', function() { stream.resume(); });
    stream.on('end', function() {
      report.clean_close = true;
      stream.end();
    });
    stream.on('error', function(error) { report.error = String(error); });
    stream.on('close', function() { print(report); });
  });
  server.on('newSession', function(id, data) { sessions[id.toString('hex')] = data; });
  server.on('resumeSession', function(id, done) {
    var data = sessions[id.toString('hex')] || null;
    resumed = data !== null;
    done(null, data);
  });
  server.on('clientError', function(error) {
    print({ event: 'connection', bytes: 0, clean_close: false, error: String(error) });
  });
  server.listen(+options.port || 0, '127.0.0.1', function() {
    print({ event: 'listening', port: server.address().port });
  });
}

// Client

function exchange(stream, report, done) {
  var total = +options.bytes || 1;
  var seed = +options.seed || 1;
  var range = (options.write || '16384').split('-');
  var first = +range[0];
  var last = +(range[1] || first);
  var size = first;
  var sent = 0;
  function send() {
    while (sent < total) {
      var count = Math.min(size, total - sent, WINDOW);
      // No write is cut short to fit: it waits until there is room for all of it.
      if (count > WINDOW - (sent - report.bytes)) {
        break;
      }
      size = size === last ? first : size + 1;
      stream.write(pattern(seed, sent, count));
      sent += count;
    }
  }
  stream.on('data', function(data) {
    var expected = pattern(seed, report.bytes, data.length);
    for (var i = 0; i < data.length; i++) {
      if (data[i] !== expected[i]) {
        report.error = 'byte ' + (report.bytes + i) + ' is ' + data[i] + ' where the pattern has ' + expected[i];
        return stream.destroy();
      }
    }
    report.bytes += data.length;
    if (report.bytes === total) {
      done();
    } else {
      send();
    }
  });
  send();
}

function connect(ciphers, session, done) {
  var report = { event: 'connection', bytes: 0, clean_close: false, error: null, resumed: false };
  var all = settings(ciphers);
  all.host = '127.0.0.1';
  all.port = +options.port;
  all.servername = options.name;
  all.rejectUnauthorized = !!options.ca;
  if (session) {
    all.session = session;
  }
  var next = null;
  var ended = false;
  var complete = false;
  function end(error) {
    if (!ended) {
      ended = true;
      report.error = report.error || error;
      print(report);
      done(next, report.error);
    }
  }
  var stream = tls.connect(all, function() {
    negotiated(report, stream);
    report.resumed = stream.isSessionReused();
    next = stream.getSession();
    // A record is written in two parts: the second would wait for the acknowledgement of the first.
    stream.setNoDelay(true);
    exchange(stream, report, function() {
      complete = true;
      stream.end();
    });
  });
  stream.on('error', function(error) { end(String(error)); });
  stream.on('end', function() { report.clean_close = true; });
  stream.on('close', function() { end(complete ? null : 'closed after ' + report.bytes + ' bytes'); });
}

function run() {
  var offers = options.each === 'yes' ? options.ciphers.split(',') : [(options.ciphers || 'ALL').split(',').join(':')];
  var rounds = +options.rounds || 1;
  var failed = false;
  (function next(offer, round, session) {
    if (offer === offers.length) {
      process.exit(failed ? 1 : 0);
    }
    connect(offers[offer], session, function(session, error) {
      failed = failed || error !== null;
      if (error !== null || round + 1 === rounds) {
        next(offer + 1, 0, null);
      } else {
        next(offer, round + 1, session);
      }
    });
  })(0, 0, null);
}

if (process.argv[2] === 'server') {
  serve();
} else {
  run();
}
