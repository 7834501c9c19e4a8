"""This package defines and checks the settings of the config, and the settings of each job."""
