"""The panels of `cnnlab --help`, in their order."""

TRAIN = "Train and use a network"
INSIDE = "Look inside"
EXPERIMENTS = "Experiments"
USE = "Data"
PROJECT = "Project"
