# SPDX-License-Identifier: Apache-2.0
# The example image for SWUpdate: two copies, chosen by U-Boot's bootcount (sw-description).
SUMMARY = "Example update of spliced-image-example for SWUpdate"
LICENSE = "Apache-2.0"

inherit swupdate

SRC_URI = "file://sw-description"
IMAGE_DEPENDS = "spliced-image-example"
SWUPDATE_IMAGES = "spliced-image-example"
SWUPDATE_IMAGES_FSTYPES[spliced-image-example] = ".ext4.gz"
# Your key, from your configuration: SWUPDATE_SIGNING, SWUPDATE_PRIVATE_KEY.
