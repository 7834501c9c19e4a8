# Devices: whether one is fit to be measured, and removing what was sent there. Made on request.
import time


rule check_device:
    """Tell whether a device is fit to be measured; asked for again, look again."""
    output:
        PATHS.check,
    log:
        PATHS.check.replace(".txt", ".log"),
    conda:
        "../envs/environment.yaml"
    resources:
        board=1,
    params:
        **STUDY.check_device,
        asked=time.time(),
    message:
        "Checking {wildcards.device}"
    script:
        "../workflow/scripts/check_device.py"


rule clean_devices:
    """Remove from the study's devices that are reached by ssh all that was sent there."""
    log:
        PATHS.log("clean_devices"),
    conda:
        "../envs/environment.yaml"
    resources:
        board=1,
    params:
        settings=STUDY.boards,
    message:
        "Cleaning the devices of this study"
    script:
        "../workflow/scripts/clean_devices.py"
