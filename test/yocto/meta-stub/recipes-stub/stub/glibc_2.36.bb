# SPDX-License-Identifier: Apache-2.0
require stub.inc
PROVIDES = "virtual/libc virtual/libintl virtual/libiconv libgcc"
do_install() {
    install -d ${D}${base_libdir} ${D}${libdir}
    for l in libc.so.6 ld-linux-aarch64.so.1 libm.so.6 libstdc++.so.6 libgcc_s.so.1; do
        install -m 0755 /usr/aarch64-linux-gnu/lib/$l ${D}${base_libdir}/$l
    done
}
INSANE_SKIP:${PN} = "already-stripped ldflags libdir arch dev-so"
FILES:${PN} = "${base_libdir}/*.so.*"
