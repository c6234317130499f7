# SPDX-License-Identifier: Apache-2.0
# What nodejs-native leaves in its sysroot, from this machine's Node: node, and npm with its node-gyp.
require stub.inc
inherit native
do_install() {
    install -d ${D}${bindir} ${D}${libdir}/node_modules
    ln -s ${STUB_NODE_DIR}/bin/node ${D}${bindir}/node
    cp -r ${STUB_NPM_DIR} ${D}${libdir}/node_modules/npm
}
