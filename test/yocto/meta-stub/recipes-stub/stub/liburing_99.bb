# SPDX-License-Identifier: Apache-2.0
# As meta-oe's: the static library is in the sysroot, too.
require target.inc
do_install() {
    install -d ${D}${includedir}
    install -D -m 0644 ${STUB_LIBRARIES}/liburing.a ${D}${libdir}/liburing.a
    cp -r ${STUB_SYSROOT}/usr/include/liburing* ${D}${includedir}/
}
