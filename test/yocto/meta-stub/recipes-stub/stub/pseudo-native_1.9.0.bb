# SPDX-License-Identifier: Apache-2.0
require stub.inc
inherit native
PROVIDES += "virtual/fakeroot-native"
do_install() {
    install -D -m 0755 /usr/bin/pseudo ${D}${bindir}/pseudo
    for d in lib/pseudo/lib lib/pseudo/lib64 lib/x86_64-linux-gnu/pseudo; do
        install -D -m 0755 /usr/lib/x86_64-linux-gnu/pseudo/libpseudo.so ${D}${prefix}/$d/libpseudo.so
    done
}
