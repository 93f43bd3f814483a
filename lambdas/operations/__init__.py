"""Operations: dead letters, error reports, and telling the people who mend them."""
