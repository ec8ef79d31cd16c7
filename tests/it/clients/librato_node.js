// What users of librato-node do, against weir.
'use strict';

const assert = require('assert');
const librato = require('librato-node');

const { WEIR_HOST, WEIR_TOKEN } = process.env;

const errors = [];
librato.on('error', (error) => errors.push(error.message));

function configure(token, source) {
  librato.configure({
    email: 'me@example.com',
    token,
    source,
    prefix: 'node.',
    requestOptions: { uri: `http://${WEIR_HOST}/v1/metrics` },
  });
}

const flush = () => new Promise((resolve) => librato.flush(resolve));

(async () => {
  configure(WEIR_TOKEN, 'app');
  librato.increment('hits');
  librato.increment('hits', 4);
  librato.increment('hits', 2, { source: 'other' });
  librato.measure('members', 2001);
  for (const value of [10, 20, 60]) librato.measure('size', value);
  librato.timing('work', () => {});
  librato.start();
  await new Promise((resolve) => librato.stop(resolve));
  assert.deepStrictEqual(errors, []);

  configure('wrong', 'app');
  librato.measure('members', 1);
  await flush();
  configure(WEIR_TOKEN, 'not a source');
  librato.measure('members', 1);
  await flush();
  assert.strictEqual(errors.length, 2);
  assert.match(errors[0], /Credentials are required .*statusCode: 401/);
  assert.match(errors[1], /not a source is not a valid source name.*statusCode: 400/s);
  console.log('done');
})();
