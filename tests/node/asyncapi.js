// SPDX-License-Identifier: Apache-2.0
//
// asyncapi.js FILE...: what @asyncapi/parser says of each, a line each, and the document with its
// references resolved and its traits in place.
'use strict';

const { Parser, fromFile } = require('@asyncapi/parser');

(async () => {
  const parser = new Parser();
  for (const file of process.argv.slice(2)) {
    const { document, diagnostics } = await fromFile(parser, file).parse();
    const said = diagnostics.map(({ code, severity, message, path }) =>
      ({ code, severity, message, path: path.join('.') }));
    console.log(JSON.stringify({ diagnostics: said, document: document ? document.json() : null }));
  }
})();
