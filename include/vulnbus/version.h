/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VULNBUS_VERSION_H
#define VULNBUS_VERSION_H

#define VULNBUS_VERSION "0.1.0"

#endif
