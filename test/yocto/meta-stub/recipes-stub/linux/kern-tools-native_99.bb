# SPDX-License-Identifier: Apache-2.0
# The real tools, from a checkout: test/yocto/patch-kernel.
require ../stub/stub.inc
inherit native
do_install() {
    oe_runmake -C ${STUB_KERN_TOOLS} DESTDIR=${D}${bindir} install
}
python () {
    if not d.getVar("STUB_KERN_TOOLS"):
        raise bb.parse.SkipRecipe("STUB_KERN_TOOLS is not set")
}
