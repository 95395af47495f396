"""Write what each extension brings to translation: `python -m training.ablation`."""

from training.publishing.ablation import main

if __name__ == "__main__":
    main()
