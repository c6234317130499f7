# SPDX-License-Identifier: Apache-2.0
# Debian's source in linux-yocto's place: class, tools and the layer's append are the real ones.
# STUB_LINUX_SOURCE is a linux-source-VERSION.tar: test/yocto/patch-kernel.
SUMMARY = "Stands in for linux-yocto, with Debian's source"
SECTION = "kernel"
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://COPYING;md5=6bc538ed5bd9a7fc9398086aedcd7e46"
inherit kernel kernel-yocto
STUB_LINUX_SOURCE ??= ""
SRC_URI = "file://${STUB_LINUX_SOURCE}"
S = "${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}/${@os.path.basename(d.getVar('STUB_LINUX_SOURCE')).removesuffix('.tar') or 'none'}"
KBUILD_DEFCONFIG = "defconfig"
KCONFIG_MODE = "alldefconfig"
# It is in the metadata of the real recipe, which is not here.
KERNEL_FEATURES:remove = "features/nfsd/nfsd-enable.scc"
# What kernel-yocto has to say about the fragments is an error.
KMETA_AUDIT_WERROR = "1"
python () {
    if not d.getVar("STUB_LINUX_SOURCE"):
        raise bb.parse.SkipRecipe("STUB_LINUX_SOURCE is not set")
}
