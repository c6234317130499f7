# SPDX-License-Identifier: Apache-2.0
# What meta-oe's nodejs leaves in the sysroot: headers for the target, without OpenSSL's.
require target.inc
do_install() {
    install -d ${D}${includedir} ${D}${bindir}
    cp -r ${STUB_NODE_DIR}/include/node ${D}${includedir}/node
    rm -rf ${D}${includedir}/node/openssl
    sed -i -E "s/'target_arch': '[^']*'/'target_arch': 'arm64'/; s/('node_shared_openssl': )(false|'false')/\1'true'/" \
        ${D}${includedir}/node/config.gypi
    printf '#!/bin/sh\n' > ${D}${bindir}/node
    chmod 0755 ${D}${bindir}/node
}
FILES:${PN} = "${bindir}"
