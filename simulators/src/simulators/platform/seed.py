"""The demo tenants: the same people with the same ids every time."""

from simulators.platform.people import Contact, PhoneNumber, Staff, Tenant

PASSWORD = "demo"
"""What every demo person logs in with; public, because there is nothing to protect."""

ANDES = Tenant(tenant_uuid="T019A16FF372A70B5A9307B00CE85E4DA", tenant_code="ANDES", name="Andes Wealth")
FJORD = Tenant(tenant_uuid="T019A2B41D0337E5AB6C81F0A27D4931E", tenant_code="FJORD", name="Fjord Private Office")

VALENTINA = Staff(
    tenant_uuid=ANDES.tenant_uuid,
    tenant_staff_uuid="TS019C06688AA57248B9EA5325DBDFC48E",
    first_name="Valentina",
    middle_name="Paz",
    paternal_last_name="Rojas",
    maternal_last_name="Fuentes",
    user_email="valentina.rojas@andes.example.com",
    email="valentina.rojas@andes.example.com",
    time_zone="America/Santiago",
    platform_language="SPANISH",
)
DANIEL = Staff(
    tenant_uuid=ANDES.tenant_uuid,
    tenant_staff_uuid="TS019C066B41E27A0C8D35C2A97B6E10F4",
    first_name="Daniel",
    paternal_last_name="Price",
    user_email="daniel.price@andes.example.com",
    email="daniel.price@andes.example.com",
    time_zone="America/New_York",
    platform_language="ENGLISH",
)
MARTA = Staff(
    tenant_uuid=ANDES.tenant_uuid,
    tenant_staff_uuid="TS019C066D93BC7E1FA4480D6E52C7B9A3",
    first_name="Marta",
    paternal_last_name="Soto",
    maternal_last_name="Vidal",
    user_email="marta.soto@andes.example.com",
    email="marta.soto@andes.example.com",
    time_zone="America/Santiago",
    platform_language="SPANISH",
    is_active=False,
)
CAMILA = Staff(
    tenant_uuid=ANDES.tenant_uuid,
    partner_uuid="P0199CA8EC4137D90A2E65F7B1D08C3A6",
    tenant_staff_uuid="PS0199CA8F08C270B5A5B0DFD3B565B332",
    first_name="Camila",
    paternal_last_name="Herrera",
    maternal_last_name="Lagos",
    user_email="camila.herrera@partner.example.org",
    email="camila.herrera@partner.example.org",
    time_zone="America/Bogota",
    platform_language="SPANISH",
)
INGRID = Staff(
    tenant_uuid=FJORD.tenant_uuid,
    tenant_staff_uuid="TS019C0A12F67B7D3C95E84B0C6A71D25F",
    first_name="Ingrid",
    paternal_last_name="Nygård",
    user_email="ingrid.nygard@fjord.example.net",
    email="ingrid.nygard@fjord.example.net",
    time_zone="Europe/Oslo",
    platform_language="ENGLISH",
)

ANA = Contact(
    tenant_uuid=ANDES.tenant_uuid,
    contact_uuid="C019B9D0FD0E5772F9E8ED189895D40C4",
    first_name="Ana",
    middle_name="María",
    paternal_last_name="González",
    maternal_last_name="Pérez",
    preferred_email="ana.gonzalez@mail.example.com",
    primary_email="ana.gonzalez@mail.example.com",
    preferred_contact_language="SPANISH",
    preferred_phone_number=PhoneNumber(country_code="+56", number="912345678"),
)
JOHN = Contact(
    tenant_uuid=ANDES.tenant_uuid,
    contact_uuid="C019B9D14C8A67F20B1D59E3A7F04826B",
    first_name="John",
    paternal_last_name="Whitfield",
    primary_email="john.whitfield@mail.example.com",
    preferred_contact_language="ENGLISH",
    preferred_phone_number=PhoneNumber(country_code="+1", number="2125550142"),
)
PEDRO = Contact(  # has no e-mail address: cannot be invited by mail
    tenant_uuid=ANDES.tenant_uuid,
    contact_uuid="C019B9D18B57F7C4A8E02D6F13B9A57C0",
    first_name="Pedro",
    paternal_last_name="Muñoz",
    maternal_last_name="Araya",
    preferred_contact_language="SPANISH",
    preferred_phone_number=PhoneNumber(country_code="+56", number="987654321"),
)
LARS = Contact(
    tenant_uuid=FJORD.tenant_uuid,
    contact_uuid="C019B9D1C20E47A6D94F71B85C3E6D012",
    first_name="Lars",
    paternal_last_name="Bakke",
    preferred_email="lars.bakke@mail.example.net",
    primary_email="lars.bakke@mail.example.net",
    preferred_contact_language="ENGLISH",
)

TENANTS = [ANDES, FJORD]
STAFF = [VALENTINA, DANIEL, MARTA, CAMILA, INGRID]
CONTACTS = [ANA, JOHN, PEDRO, LARS]
