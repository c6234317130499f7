# SPDX-License-Identifier: Apache-2.0
SUMMARY = "spliced, and what makes it fast; -test: what tests it on a board"

# Names of kernel packages belong to the machine.
PACKAGE_ARCH = "${MACHINE_ARCH}"
inherit packagegroup

PACKAGES = "${PN} ${PN}-test"
RDEPENDS:${PN} = "spliced spliced-ui"
RDEPENDS:${PN}-test = "spliced-ptest ptest-runner curl openssl-bin"
# What spliced-data-unlock needs, where the kernel has it as modules.
RRECOMMENDS:${PN} = "${@'kernel-module-trusted kernel-module-dm-crypt kernel-module-xts' if d.getVar('SPLICED_DATA_KEY') else ''}"
# Asynchronous AES-GCM without an engine, for tests.
RRECOMMENDS:${PN}-test = "kernel-module-cryptd kernel-module-algif-aead kernel-module-pcrypt"
