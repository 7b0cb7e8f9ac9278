/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and a token that are known to everybody: RFC 7515, appendix A.4, and
 * what other tools make of them. */
#ifndef VULNBUS_TESTS_KNOWN_KEYS_H
#define VULNBUS_TESTS_KNOWN_KEYS_H

/* clang-format off */

/* RFC 7515, appendix A.4: the payload is the word "Payload". */
#define RFC_HEADER "eyJhbGciOiJFUzUxMiJ9"
#define RFC_PAYLOAD "UGF5bG9hZA"
#define RFC_SIGNATURE \
	"AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZq" \
	"wqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp" \
	"EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
#define RFC_X \
	"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvL" \
	"FV1jSfS9tsz4qUxcWceqwQGk"
#define RFC_Y \
	"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4K" \
	"kd0AZMaZmh9ubmf63e3kyMj2"

/* The same key as a SubjectPublicKeyInfo. */
#define RFC_PUBLIC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQB6SkFDxJPxrxVx9U5M2Xfne9KsMIs\n" \
	"sleY+TTrBOPGuuNwGlenkQ6dgb82MVno68sVXWNJ9L22zPipTFxZx6rBAaQANKZE\n" \
	"DjdnUNI3H9G9wsjztx0vTuXqNDLIFcyjFWD+XZOH7HdLVYOGMOXLv1qMvgqR3QBk\n" \
	"xpmaH25uZ/rd7eTIyPY=\n" \
	"-----END PUBLIC KEY-----\n"

/* In a certificate. */
#define RFC_CERTIFICATE_PEM \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBpTCCAQagAwIBAgIBATAKBggqhkjOPQQDBDAXMRUwEwYDVQQDDAx2dWxuYnVz\n" \
	"IHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMTIwMDAwMDBaMBcxFTATBgNV\n" \
	"BAMMDHZ1bG5idXMgdGVzdDCBmzAQBgcqhkjOPQIBBgUrgQQAIwOBhgAEAekpBQ8S\n" \
	"T8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG/NjFZ6OvLFV1jSfS9\n" \
	"tsz4qUxcWceqwQGkADSmRA43Z1DSNx/RvcLI87cdL07l6jQyyBXMoxVg/l2Th+x3\n" \
	"S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2MAoGCCqGSM49BAMEA4GMADCB\n" \
	"iAJCAPpTo7CVCmVNhAoSkMLEHPEWgmpVLMI5/WZuuXXEdx0FoywGLBRYqKBDRTMq\n" \
	"3bZSgkQuJ11QI0TkmmSBvU/VmQNiAkIAxSBMuIrIRihbPkB2XC4RR2khxbr86bio\n" \
	"7t6BiWwiKt1v7xoEPufuNUtX+bS8t3LQoi+QQe7MQl+WnP2Zd8SWoRs=\n" \
	"-----END CERTIFICATE-----\n"

/* Its private half, printed in the RFC: PKCS #8. */
#define RFC_PRIVATE_PEM \
	"-----BEGIN " "PRIVATE KEY-----\n" \
	"MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBjmlvsDRQWIHdEQtI\n" \
	"Prh9Ms5JX+NrN0Xt8tjK5PDyU59GFaDpjqtSs8DF6sTOB1GFqOe7R96sHR3ne8z2\n" \
	"YTXmPYKhgYkDgYYABAHpKQUPEk/GvFXH1TkzZd+d70qwwiyyV5j5NOsE48a643Aa\n" \
	"V6eRDp2BvzYxWejryxVdY0n0vbbM+KlMXFnHqsEBpAA0pkQON2dQ0jcf0b3CyPO3\n" \
	"HS9O5eo0MsgVzKMVYP5dk4fsd0tVg4Yw5cu/Woy+CpHdAGTGmZofbm5n+t3t5MjI\n" \
	"9g==\n" \
	"-----END PRIVATE KEY-----\n"

/* As SEC 1 has it. */
#define RFC_PRIVATE_SEC1_PEM \
	"-----BEGIN " "EC PRIVATE KEY-----\n" \
	"MIHcAgEBBEIBjmlvsDRQWIHdEQtIPrh9Ms5JX+NrN0Xt8tjK5PDyU59GFaDpjqtS\n" \
	"s8DF6sTOB1GFqOe7R96sHR3ne8z2YTXmPYKgBwYFK4EEACOhgYkDgYYABAHpKQUP\n" \
	"Ek/GvFXH1TkzZd+d70qwwiyyV5j5NOsE48a643AaV6eRDp2BvzYxWejryxVdY0n0\n" \
	"vbbM+KlMXFnHqsEBpAA0pkQON2dQ0jcf0b3CyPO3HS9O5eo0MsgVzKMVYP5dk4fs\n" \
	"d0tVg4Yw5cu/Woy+CpHdAGTGmZofbm5n+t3t5MjI9g==\n" \
	"-----END EC PRIVATE KEY-----\n"

/* Under a passphrase. */
#define RFC_LOCKED_PEM \
	"-----BEGIN " "ENCRYPTED PRIVATE KEY-----\n" \
	"MIIBZTBfBgkqhkiG9w0BBQ0wUjAxBgkqhkiG9w0BBQwwJAQQxbQWmTI5VNLMacKv\n" \
	"7pP0MQICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEENPQ1yTi1J+LJXFP\n" \
	"SWYfXBQEggEAqdUaCDfk9C6EKWFfvFqp7RpyUMGY3vFpv3dMuN6hGl54DpeGiXjF\n" \
	"rFmuLiamFVs4lqnrCtscsW9P+7KOB86oZuYpjzxAVy5+aKhWNuHw1ajVBdQwti9Q\n" \
	"7zE9q8Rx/Z5lrKXNQ5uUInIoZKQBFbGV+8W2xfAQJvFQ1YZwoNJpPwFP0+h1NnND\n" \
	"SsD9MGT7IBHVQoHtibw5n4+Quw9MOpeyQE09H6lIk4y4DbpNRC9Rfv/Wx6Pnq6TX\n" \
	"q6RYCJj7AonS3R+7JnZllX4NFDb/NlEvhuKSAAdLmOfr3SiIAi6UAIJOub9tM5tF\n" \
	"PgB8aXrs22HTDykG1QMEKy9JzxeTRKKh/A==\n" \
	"-----END ENCRYPTED PRIVATE KEY-----\n"

/* Another P-521 key. */
#define OTHER_PUBLIC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAW8l6WJojKCoR7cunfY4xQMwHo0Su\n" \
	"dwZwkua5ZROagbes3P/W2CaOl0osu4SFHvetRFW3UBDgrx4G4rkZBuzxSEEAKGjN\n" \
	"FoF4ubom9eAyYBkF9se9FJzLtNAgxPiGPpOTQVjvo3qsXVZQnD8WTw+Mrpzr1Q/V\n" \
	"fj09PsWRer6vFDv58/Q=\n" \
	"-----END PUBLIC KEY-----\n"

/* Keys of other kinds. */
#define P256_PUBLIC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqMsqI4uXD8Gj6sMAr8wWD0qKCtud\n" \
	"mrkXJfMxyrV4GM8s8d1MOMszEIAQh0uhddmL+mzloSfD0vNYdsq5b7y1jA==\n" \
	"-----END PUBLIC KEY-----\n"

/* P-256 in a certificate. */
#define P256_CERTIFICATE_PEM \
	"-----BEGIN CERTIFICATE-----\n" \
	"MIIBGzCBw6ADAgECAgEBMAoGCCqGSM49BAMEMBcxFTATBgNVBAMMDHZ1bG5idXMg\n" \
	"dGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIxMjAwMDAwMFowFzEVMBMGA1UE\n" \
	"AwwMdnVsbmJ1cyB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqMsqI4uX\n" \
	"D8Gj6sMAr8wWD0qKCtudmrkXJfMxyrV4GM8s8d1MOMszEIAQh0uhddmL+mzloSfD\n" \
	"0vNYdsq5b7y1jDAKBggqhkjOPQQDBANHADBEAiAAnNnzDt67dryEShsy4JC8v8mC\n" \
	"tr+uYqYwwrMJDujUJAIgKLBxcI/5t5ToC2t/3H7Va1z09/uNdF5bQDALSn5iKtM=\n" \
	"-----END CERTIFICATE-----\n"

/* P-384. */
#define P384_PUBLIC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEnTk/B6mfbveFGvxqEAf6RTQ6qjqiGYyt\n" \
	"nTP0CrcvDSC7HnemYi3G1YuJKvZY0z3Jz/Dcdc3DaTB5NUIgeqOcrYsjAsEgnASP\n" \
	"z8WSh5Z3A72PJn7H5x1UuRckSeZzD8dS\n" \
	"-----END PUBLIC KEY-----\n"

/* RSA. */
#define RSA_PUBLIC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA8Qejj0+1Gw1hTRnVORTi\n" \
	"FPTtQKoQ93QYf/bteYdumFEWcUPt/e9ArUaX2E2fpJ2p0oI4aK6a8ile7AQx8gl2\n" \
	"4wn+wPm0yU7gjTYyQsKqI7ZxsuB1Lg83m2gDM98TvFJKOSsHRr1PxIZECaI//XCK\n" \
	"Ztn3e9/QRQhf55jgYdcYKALuV94BPYf29VAAxZTtakN1YI0zx59vvqYA8U1UmOG8\n" \
	"bwxJJm/ugPk2MV/f5UU9qIBUR99LAPRmpk1pDY6XrtGsjT24HBQKrkeqHIqtUnvb\n" \
	"QREYNW/UYh5/3UxLFbpyWUP+tK0djRr+Y4tXmgXSoeJ654byj94PX21h5wU3teQh\n" \
	"SQIDAQAB\n" \
	"-----END PUBLIC KEY-----\n"

/* Ed25519. */
#define ED25519_PUBLIC_PEM \
	"-----BEGIN PUBLIC KEY-----\n" \
	"MCowBQYDK2VwAyEAIncz9hAa9N4tkkWuVVhEV176Yh1UlUJ1d82wiwhweS8=\n" \
	"-----END PUBLIC KEY-----\n"

/* Coordinates of the other P-521 key and of the P-256 key. */
#define OTHER_X \
	"AFvJeliaIygqEe3Lp32OMUDMB6NErncGcJLmuWUTmoG3rNz_1tgmjpdKLLuEhR73" \
	"rURVt1AQ4K8eBuK5GQbs8UhB"
#define OTHER_Y \
	"AChozRaBeLm6JvXgMmAZBfbHvRScy7TQIMT4hj6Tk0FY76N6rF1WUJw_Fk8PjK6c" \
	"69UP1X49PT7FkXq-rxQ7-fP0"
#define P256_X "qMsqI4uXD8Gj6sMAr8wWD0qKCtudmrkXJfMxyrV4GM8"
#define P256_Y "LPHdTDjLMxCAEIdLoXXZi_ps5aEnw9LzWHbKuW-8tYw"

/* The order of P-521's group. */
#define P521_ORDER \
	"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" \
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" \
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" \
	"\xfa\x51\x86\x87\x83\xbf\x2f\x96\x6b\x7f\xcc" \
	"\x01\x48\xf7\x09\xa5\xd0\x3b\xb5\xc9\xb8\x89" \
	"\x9c\x47\xae\xbb\x6f\xb7\x1e\x91\x38\x64\x09"

/* Certificates (DER, base64url): one whose subject needs every escape, as
 * "openssl x509 -noout -subject -nameopt RFC2253" prints it, and one without. */
#define NAMED_CERTIFICATE \
	"MIICATCCAaegAwIBAgIBATAKBggqhkjOPQQDAjCBiTELMAkGA1UEBhMCREUx" \
	"KDAmBgNVBAoMH0V4YW1wbGUsICJTw7ZobmUiICsgPENvPjsgYT1iXGMxHjAK" \
	"BgNVBAsMAyMxIDAQBgoJkiaJk_IsZAEBDAJ1NzEgMB4GCSqGSIb3DQEJARYR" \
	"aG9va3NAZXhhbXBsZS5jb20xDjAMBgNVBAMMBSBhAGIKMB4XDTI2MDEwMTAw" \
	"MDAwMFoXDTI3MDEwMTAwMDAwMFowgYkxCzAJBgNVBAYTAkRFMSgwJgYDVQQK" \
	"DB9FeGFtcGxlLCAiU8O2aG5lIiArIDxDbz47IGE9YlxjMR4wCgYDVQQLDAMj" \
	"MSAwEAYKCZImiZPyLGQBAQwCdTcxIDAeBgkqhkiG9w0BCQEWEWhvb2tzQGV4" \
	"YW1wbGUuY29tMQ4wDAYDVQQDDAUgYQBiCjBZMBMGByqGSM49AgEGCCqGSM49" \
	"AwEHA0IABMv3CvOvds5fHogfyEtEgaPGWJTAfOlzFx-qQqWXC910yJn8b4xn" \
	"x7PBt7SrkXN0qMK3M8XopqJ-3MBCkGNsp9kwCgYIKoZIzj0EAwIDSAAwRQIh" \
	"AM8a1laxRMHCl36peaW-EOHoK63Lk34vUezSOuOo9LfaAiANXvz6b6hGVISZ" \
	"A280bJ-pWA3pGxFAfE6eisrKgLzgwg"
#define NAMED_SUBJECT \
	"CN=\\ a\\00b\\0A,emailAddress=hooks@example.com," \
	"UID=u7+OU=\\#1\\ ," \
	"O=Example\\, \\\"S\\C3\\B6hne\\\" \\+ \\<Co\\>\\; a=b\\\\c,C=DE"
#define NAMELESS_CERTIFICATE \
	"MIHsMIGToAMCAQICAQEwCgYIKoZIzj0EAwIwADAeFw0yNjAxMDEwMDAwMDBa" \
	"Fw0yNzAxMDEwMDAwMDBaMAAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATL" \
	"9wrzr3bOXx6IH8hLRIGjxliUwHzpcxcfqkKllwvddMiZ_G-MZ8ezwbe0q5Fz" \
	"dKjCtzPF6KaiftzAQpBjbKfZMAoGCCqGSM49BAMCA0gAMEUCIQCmySZsq9do" \
	"tjtdG4tm5duD1a5CbDPbHE8eegqVd7myfQIgDnkB-PCV1gZbc-8tPM4pvQ0N" \
	"3GtkFXi_D4VoSJnaBXU"

/* clang-format on */

#endif
