# SPDX-License-Identifier: Apache-2.0
# What spliced-data asks for with SPLICED_DATA_KEY, by the names that meta-oe's, oe-core's and meta-tpm's
# packages have in this release. Empty.
require stub.inc
do_install() {
    :
}
ALLOW_EMPTY:${PN} = "1"
RPROVIDES:${PN} = "keyutils libdevmapper e2fsprogs-mke2fs tpm2-tools \
    ${@bb.utils.contains('LAYERSERIES_CORENAMES', 'scarthgap', 'lvm2-udevrules', '', d)}"
