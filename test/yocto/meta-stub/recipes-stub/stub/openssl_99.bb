# SPDX-License-Identifier: Apache-2.0
# Headers alone: an addon that linked it would not build here.
require target.inc
do_install() {
    install -d ${D}${includedir}
    cp -r ${STUB_SYSROOT}/usr/include/openssl ${D}${includedir}/
    cp -r ${STUB_SYSROOT}/usr/include/aarch64-linux-gnu/openssl/. ${D}${includedir}/openssl/
}
PACKAGES =+ "${PN}-bin"
ALLOW_EMPTY:${PN}-bin = "1"
