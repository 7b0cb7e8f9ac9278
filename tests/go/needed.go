// SPDX-License-Identifier: Apache-2.0

// Package needed names what the consumer of schemas/README.md imports, so that go.mod keeps it.
package needed

import (
	_ "github.com/twmb/franz-go/pkg/kgo"
	_ "github.com/vmihailenco/msgpack/v5"
)
