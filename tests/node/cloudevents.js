// SPDX-License-Identifier: Apache-2.0
//
// Reads records from lines of {"key", "headers", "value" in base64 or null} as the SDK of CloudEvents
// does, strictly; answers each with a line: {"event"}, or {"error"}.
'use strict';

const fs = require('fs');
const { CloudEvent, Kafka } = require('cloudevents');

function read({ key, headers, value }) {
  const message = { key, headers, value: value === null ? null : Buffer.from(value, 'base64') };
  if (!Kafka.isEvent(message)) throw new Error('not a CloudEvent');
  // toEvent() itself is lenient, and of an unknown version validate() says false and no more.
  const event = new CloudEvent({ ...Kafka.toEvent(message) }, true);
  if (!event.validate()) throw new Error('not valid');
  return event;
}

for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  let answer;
  try {
    answer = { event: read(JSON.parse(line)).toJSON() };
  } catch (error) {
    answer = { error: error.message };
  }
  console.log(JSON.stringify(answer));
}
