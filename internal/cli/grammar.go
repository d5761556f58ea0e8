package cli

// grammar is every command, flag and argument, in the order in which a newcomer meets them. The parser, the help and the
// completion of shells are all made from it. A tag "settings" names the settings that a command takes as flags, "*" all;
// "data" stands for all that tell where the data is.
type grammar struct {
	ShowHelp    helpFlag    `name:"help" short:"h" help:"print what the command takes"`
	ShowVersion versionFlag `name:"version" help:"print version, commit and Go release"`

	Dev    devCommand    `cmd:"" help:"try it out: server, identity provider and people, all on loopback"`
	Serve  serveCommand  `cmd:"" settings:"*" help:"run the server"`
	Login  loginCommand  `cmd:"" help:"sign in for put, get, rm and import, in a browser"`
	Logout logoutCommand `cmd:"" help:"forget a login, and end its tokens where the provider can"`
	Put    putCommand    `cmd:"" help:"make the picture in a file that of a user; the one before is erased"`
	Get    getCommand    `cmd:"" help:"write a user's picture into a file, or to standard output"`
	Rm     rmCommand     `cmd:"" help:"erase a user's picture for good"`
	Import importCommand `cmd:"" settings:"data,issuer" help:"give many users the pictures in a directory, through a running server; goes on where it was killed"`
	Config configCommand `cmd:"" settings:"*" help:"print what serve would go by and where each value stands, without secrets; --check tries the provider"`
	Org    struct {
		Add    orgAddCommand   `cmd:"" settings:"data" help:"register an organisation"`
		List   orgListCommand  `cmd:"" settings:"data" help:"list the organisations"`
		Remove eraseOrgCommand `cmd:"" settings:"data" help:"another name of erase org"`
	} `cmd:"" help:"organisations"`
	User struct {
		Add    userAddCommand   `cmd:"" settings:"data,issuer" help:"register a user in an organisation"`
		Move   userMoveCommand  `cmd:"" settings:"data,issuer" help:"put a user into another organisation, with picture and receipts"`
		List   userListCommand  `cmd:"" settings:"data" help:"list the users, and who has a picture"`
		Show   userShowCommand  `cmd:"" settings:"data" help:"show the users of one id, each with the issuer"`
		Remove eraseUserCommand `cmd:"" settings:"data,issuer" help:"another name of erase user"`
	} `cmd:"" help:"users"`
	Erase struct {
		User eraseUserCommand `cmd:"" settings:"data,issuer" help:"erase a user's picture and end the user, whom only user add registers again"`
		Org  eraseOrgCommand  `cmd:"" settings:"data" help:"end an organisation with its users, whose pictures are erased; goes on where it was killed; only org add registers it again"`
	} `cmd:"" help:"ends of users and organisations"`
	Receipts struct {
		List   receiptsListCommand   `cmd:"" settings:"data,issuer" help:"list the receipts of erasures, the newest first"`
		Show   receiptsShowCommand   `cmd:"" settings:"data" help:"say what was erased, when, why and by whom"`
		Export receiptsExportCommand `cmd:"" settings:"data,issuer" help:"write the receipts into a file, or with - to standard output, a line of JSON each"`
		Head   receiptsHeadCommand   `cmd:"" settings:"data" help:"print the signed head of the log of receipts, to be noted"`
		Proof  receiptsProofCommand  `cmd:"" settings:"data" help:"print the proof that a receipt is in the log"`
		Verify receiptsVerifyCommand `cmd:"" settings:"data" help:"check that the log of receipts is as it was sealed, and has the noted past, beside a running server or without one"`
	} `cmd:"" help:"receipts of erasures"`
	Audit  auditCommand `cmd:"" settings:"data" help:"list who changed what, and which calls were refused, the oldest first; --follow goes on"`
	Issuer struct {
		Move issuerMoveCommand `cmd:"" settings:"data" help:"give the users of an issuer to another one, when its address has changed"`
	} `cmd:"" help:"issuers"`
	Prove      proveCommand      `cmd:"" help:"show that deletes are real, with a server and pictures of its own: delete, kill, start again, search every file"`
	Fsck       fsckCommand       `cmd:"" settings:"data" help:"check that metadata and pictures agree, beside a running server or without one"`
	Backup     backupCommand     `cmd:"" settings:"data" help:"write everything into a file, or with - to standard output, beside a running server or without one"`
	Restore    restoreCommand    `cmd:"" settings:"data" help:"make data out of a backup, with - from standard input, without what was erased since"`
	Move       moveCommand       `cmd:"" settings:"*" help:"move data to where the settings say, such as from a directory to a database and a bucket, and erase it where it was"`
	Migrate    migrateCommand    `cmd:"" settings:"data" help:"bring data of an older program forward, with no server running"`
	Completion completionCommand `cmd:"" help:"print a script that completes commands and flags in a shell"`
	Man        manCommand        `cmd:"" help:"print the manual page, for a file avatard.1 where man looks"`
	Version    versionCommand    `cmd:"" help:"print version, commit and Go release"`
	Help       helpCommand       `cmd:"" help:"print this list, or what a command takes"`

	Complete completeCommand `cmd:"" hidden:"" name:"complete-words" help:"print how the last of some words can go on"`
}
