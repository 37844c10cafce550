"""Beta-process factor analysis, the dictionary method that the FSHNet paper compares with: model, sampler, patches."""
