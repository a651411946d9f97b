drop index accounts_not_customers;
