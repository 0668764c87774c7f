"""`python -m examples.gan_zoo.table2`: the SQD paper's eight GANs, its Table 2, Figures 3 to 5."""

from examples.gan_zoo.experiments.__main__ import main

if __name__ == "__main__":
    main(experiment="table2")
