# SPDX-License-Identifier: Apache-2.0
# The example image as a bundle for RAUC: two root slots (system.conf beside rauc-conf here).
SUMMARY = "Example update bundle of spliced-image-example"

inherit bundle

RAUC_BUNDLE_FORMAT = "verity"
RAUC_BUNDLE_COMPATIBLE ?= "spliced-example-${MACHINE}"
RAUC_BUNDLE_VERSION ?= "${DISTRO_VERSION}"
RAUC_BUNDLE_SLOTS = "rootfs"
RAUC_SLOT_rootfs = "spliced-image-example"
RAUC_SLOT_rootfs[fstype] = "ext4"

# Your own signing key and certificate, from your configuration: RAUC_KEY_FILE, RAUC_CERT_FILE.
EXCLUDE_FROM_WORLD = "1"
