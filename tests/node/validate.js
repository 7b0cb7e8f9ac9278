// SPDX-License-Identifier: Apache-2.0
//
// validate.js FILE...: holds documents against the schemas of these files. Reads lines of
// {"schema": <its $id>, "document": ...}, answers each with a line: null, or what is wrong.
'use strict';

const fs = require('fs');
const { Ajv2020 } = require('ajv/dist/2020');
const formats = require('ajv-formats');

const ajv = new Ajv2020({ strict: true, allErrors: true });
ajv.addKeyword({ keyword: 'x-extensible-enum', schemaType: 'array' });
formats(ajv);
const schemas = process.argv.slice(2).map((file) => JSON.parse(fs.readFileSync(file, 'utf8')));
ajv.addSchema(schemas);
for (const schema of schemas) ajv.getSchema(schema.$id);

for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const { schema, document } = JSON.parse(line);
  const validate = ajv.getSchema(schema);
  console.log(validate(document) ? 'null' : JSON.stringify(ajv.errorsText(validate.errors)));
}
