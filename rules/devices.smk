# Devices: on request, check whether a device is fit to be measured, or remove the files that were sent to it.
import time


rule check_device:
    """Check whether `device` is fit to be measured. Each request looks again."""
    output:
        PATHS.check,
        record=PATHS.check.replace(".txt", ".json"),
    log:
        PATHS.check.replace(".txt", ".log"),
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        **STUDY.board_of_device,
    params:
        **STUDY.check_device,
        asked=time.time(),
    message:
        "Checking {wildcards.device}"
    script:
        "../workflow/scripts/check_device.py"


rule clean_devices:
    """Remove all files that were sent to the study's devices by ssh."""
    log:
        PATHS.log("clean_devices"),
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        **STUDY.boards_of_study,
    params:
        settings=STUDY.ssh_devices,
    message:
        "Cleaning the devices of this study"
    script:
        "../workflow/scripts/clean_devices.py"
