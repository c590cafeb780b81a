/**
 * Names of text, bytes and JSON fields as they are in the schemas of applications that many people run, each with a person's
 * judgement: what even those who may see the row must not see of it, and what an application could not do without. Types other than String
 * stand after a colon.
 */

/** One name. */
export interface JudgedName {
  readonly app: string
  readonly model: string
  readonly name: string
  readonly type: string
  readonly isSecret: boolean
}

interface Judged {
  readonly hide: string
  readonly show: string
}

const NAMES: Readonly<Record<string, Judged>> = {
  'Auth.js': {
    hide: `Account.refresh_token Account.access_token Account.id_token Account.oauth_token Account.oauth_token_secret
      Session.sessionToken VerificationToken.token VerificationRequest.token`,
    show: `Account.token_type Account.scope Account.provider Account.providerAccountId Account.session_state Account.userId
      VerificationToken.identifier Authenticator.credentialID Authenticator.credentialPublicKey Authenticator.transports
      Authenticator.credentialDeviceType Authenticator.providerAccountId User.email User.image`,
  },
  'Better Auth': {
    hide: `Account.accessToken Account.refreshToken Account.idToken Account.password Session.token Verification.value
      TwoFactor.secret TwoFactor.backupCodes ApiKey.key OauthApplication.clientSecret OauthAccessToken.accessToken
      OauthAccessToken.refreshToken Jwks.privateKey DeviceCode.deviceCode DeviceCode.userCode Passkey.challengeToken`,
    show: `Session.ipAddress Session.userAgent Session.activeOrganizationId Session.impersonatedBy Verification.identifier
      Account.accountId Account.providerId Account.scope ApiKey.name ApiKey.prefix ApiKey.start ApiKey.permissions
      OauthApplication.clientId OauthApplication.redirectURLs Jwks.publicKey Passkey.publicKey Passkey.credentialID Passkey.aaguid
      Invitation.inviterId`,
  },
  'Cal.com': {
    hide: `User.twoFactorSecret User.backupCodes UserPassword.hash Credential.key:Json ApiKey.hashedKey VerificationToken.token
      ResetPasswordRequest.resetToken App.keys:Json Webhook.secret OAuthClient.clientSecret PlatformOAuthClient.secret
      PlatformAuthorizationToken.token AccessToken.secret RefreshToken.secret AccessCode.code AccessCode.codeVerifier
      Impersonation.sessionToken CalendarCache.accessToken HashedLink.tokenLink SelectedCalendar.channelToken Session.sessionToken
      DelegationCredential.serviceAccountKey:Json SecondaryEmail.verificationToken Deployment.licenseKey
      Deployment.signatureTokenEncrypted OAuthApp.secretHash InstantMeetingToken.token DestinationCredential.encryptedKey:Json`,
    show: `User.username User.emailVerifiedBy User.identityProviderId Credential.type Credential.appId Credential.delegationCredentialId
      Booking.idempotencyKey Booking.uid EventType.slug EventType.hashedLinkId EventType.hashedLinkExpiry ApiKey.note ApiKey.appId
      VerificationToken.teamInviteId AccessCode.codeChallengeMethod Feature.slug Membership.customRoleId Webhook.subscriberUrl
      Webhook.payloadTemplate Attribute.name BookingReference.credentialId BookingReference.meetingId Workflow.name
      SelectedCalendar.credentialId SelectedCalendar.externalId CalendarCache.key Team.metadata:Json App.dirName`,
  },
  Documenso: {
    hide: `User.twoFactorSecret User.twoFactorBackupCodes PasswordResetToken.token AnonymousVerificationToken.token Webhook.secret
      ApiToken.token Account.password Envelope.qrToken Recipient.token OrganisationMemberInvite.token TeamEmailVerification.token
      TemplateDirectLink.token EmailDomain.privateKey OrganisationAuthenticationPortal.clientSecret CscSession.encryptedSad:Bytes
      CscCredential.serviceTokenCiphertext:Bytes`,
    show: `User.signature Passkey.credentialId:Bytes Passkey.credentialPublicKey:Bytes Passkey.credentialDeviceType Webhook.webhookUrl
      WebhookCall.webhookId Envelope.signatureLevel Signature.signatureImageAsBase64 Signature.typedSignature
      CscCredential.credentialId CscCredential.certCache:Bytes CscCredential.signatureAlgorithm CscCredential.keyType
      CscCredential.digestAlgorithm CscCredential.signAlgoParams EmailDomain.publicKey RateLimit.key
      Organisation.organisationAuthenticationPortalId Envelope.authOptions:Json Recipient.authOptions:Json`,
  },
  Dub: {
    hide: `Dashboard.password Token.hashedKey RestrictedToken.hashedKey EmailVerificationToken.token OAuthApp.hashedClientSecret
      OAuthCode.code OAuthRefreshToken.hashedRefreshToken User.passwordHash Postback.secret InstalledIntegration.credentials:Json
      Link.password Project.inviteCode PasswordResetToken.token Webhook.secret jackson_store.value`,
    show: `Project.publishableKey Program.inviteEmailData:Json DiscountCode.code Partner.veriffSessionId Partner.veriffMetadata:Json
      Partner.payoutMethodHash Token.partialKey RestrictedToken.partialKey OAuthApp.partialClientSecret OAuthCode.codeChallengeMethod
      OAuthRefreshToken.accessTokenId Payout.webhookEventId LinkWebhook.webhookId MessageAttachment.storageKey Link.key Link.url
      FraudEvent.hash jackson_store.key jackson_store.iv jackson_index.storeKey Token.name RestrictedToken.scopes`,
  },
  Formbricks: {
    hide: `Survey.pin ApiKey.lookupHash ApiKey.hashedKey TwoFactor.secret TwoFactor.backupCodes jwks.privateKey oauthClient.clientSecret
      oauthAccessToken.token oauthRefreshToken.token PasswordResetToken.tokenHash User.backupCodes User.twoFactorSecret User.password`,
    show: `WorkflowRun.idempotencyKey ContactAttribute.attributeKeyId ContactAttributeKey.key SurveyAttributeFilter.attributeKeyId
      Survey.welcomeCard:Json SurveyQuota.endingCardId ActionClass.key ActionClass.noCodeConfig:Json ApiKeyWorkspace.apiKeyId
      jwks.publicKey oauthClient.softwareStatement oauthClient.tokenEndpointAuthMethod oauthClient.clientCredentialsScopes
      oauthAccessToken.sessionId oauthAccessToken.authorizationCodeId oauthRefreshToken.sessionId oauthResource.signingAlgorithm
      oauthResource.signingKeyId Language.code Environment.type Response.singleUseId`,
  },
  Ghostfolio: {
    hide: `User.accessToken User.authChallenge`,
    show: `AuthDevice.credentialId:Bytes AuthDevice.credentialPublicKey:Bytes Property.key SymbolProfile.symbolMapping:Json
      Subscription.stripeCheckoutSessionId SymbolProfile.isin Access.alias`,
  },
  Hoppscotch: {
    hide: `User.refreshToken Account.providerRefreshToken Account.providerAccessToken PersonalAccessToken.token InfraToken.token
      VerificationToken.token VerificationToken.deviceIdentifierToken InfraConfig.encryptedValue`,
    show: `TeamInvitation.inviteeEmail User.currentRESTSession:Json User.currentGQLSession:Json Account.providerScope
      InvitedUsers.inviteeEmail PersonalAccessToken.label InfraConfig.name InfraToken.label`,
  },
  Infisical: {
    hide: `ApiKey.secretHash ServiceToken.secretHash ServiceToken.encryptedKey Secret.secretValueCiphertext Secret.secretKeyCiphertext
      SecretBlindIndex.saltIV UserEncryptionKey.encryptedPrivateKey UserEncryptionKey.salt UserEncryptionKey.verifier
      AuthToken.tokenHash BackupPrivateKey.encryptedPrivateKey Webhook.encryptedSecretKey OrgBot.encryptedSymmetricKey
      IdentityUaClientSecret.clientSecretHash KmsKey.encryptedKey:Bytes`,
    show: `Secret.secretBlindIndexVersion Secret.secretReminderNote SecretImport.secretPath SecretFolder.name SecretTag.slug
      SecretVersion.secretId IdentityUaClientSecret.clientSecretPrefix UserEncryptionKey.publicKey
      IdentityAccessToken.identityId SecretApprovalPolicy.secretPath ServiceToken.name ServiceToken.permissions Secret.keyEncoding`,
  },
  Langfuse: {
    hide: `ApiKey.hashedSecretKey ApiKey.fastHashedSecretKey LlmApiKeys.secretKey Dataset.remoteExperimentSecretKey
      VerifiedDomain.verificationToken PosthogIntegration.encryptedPosthogApiKey MixpanelIntegration.encryptedMixpanelProjectToken
      BlobStorageIntegration.secretAccessKey SlackIntegration.botToken SsoConfig.authConfig:Json User.password`,
    show: `ApiKey.publicKey ApiKey.displaySecretKey ApiKey.createdByApiKeyId LlmApiKeys.displaySecretKey LlmApiKeys.extraHeaderKeys
      Dataset.remoteExperimentDisplaySecretKey Model.tokenizerId Model.tokenizerConfig:Json AuditLog.apiKeyId JobExecution.errorCode
      BackgroundMigration.state:Json MembershipInvitation.invitedByUserId CronJobs.state DefaultLlmModel.llmApiKeyId
      SsoConfig.authProvider BlobStorageIntegration.accessKeyId WebCalloutEndpoint.requestHeaderKeys Media.sha256Hash
      InAppAgentConversation.providerSessionId Observation.completionUsage:Json Price.usageType`,
  },
  Papermark: {
    hide: `IncomingWebhook.secret LinkPreset.password Link.password VerificationToken.token RestrictedToken.hashedKey
      SlackIntegration.accessToken Dataroom.inviteCode OtpCode.value`,
    show: `ViewerInvitation.invitedBy DataroomFaqItem.answer DataroomFaqItem.answerMessageId Dataroom.freezeArchiveHash
      Document.storageType RestrictedToken.partialKey View.viewerId`,
  },
  Rallly: {
    hide: `Credential.secret Participant.token PollInvite.token Session.token License.licenseKey InstanceLicense.licenseKey
      SpaceApiKey.hashedKey Account.accessToken VerificationToken.token`,
    show: `CalendarConnection.credentialId PollActivity.inviteId Comment.authorName ScheduledEventInvite.inviteeName License.idempotencyKey
      License.licenseeEmail License.licenseeName LicenseValidation.licenseId SpaceMemberInvite.inviterId Poll.participantUrlId`,
  },
  'Trigger.dev': {
    hide: `TaskRun.oneTimeUseToken BatchTaskRun.oneTimeUseToken User.mfaLastUsedCode MfaBackupCode.code InvitationCode.code
      AuthorizationCode.code PersonalAccessToken.encryptedToken:Json PersonalAccessToken.hashedToken OrganizationAccessToken.hashedToken
      OrgMemberInvite.token RuntimeEnvironment.apiKey RuntimeEnvironment.pkApiKey ApiKey.keyHash RevokedApiKey.apiKey
      SecretStore.value:Json WebhookEndpoint.signingSecretKey WorkerGroupToken.tokenHash User.authenticationProfile:Json
      User.authenticationExtraParams:Json EnvironmentVariableValue.value`,
    show: `TaskRun.idempotencyKey TaskRun.idempotencyKeyOptions:Json TaskRun.concurrencyKey TaskRun.seedMetadata TaskRun.runChainState:Json
      BatchTaskRunError.errorCode User.authIdentifier User.mfaSecretReferenceId User.invitationCodeId
      AuthorizationCode.personalAccessTokenId PersonalAccessToken.obfuscatedToken OrgMemberInvite.inviterId RuntimeEnvironment.shortcode
      RuntimeEnvironment.currentSessionId SecretReference.key SecretStore.key BackgroundWorker.contentHash WebhookDelivery.rawBodyHash
      WebhookEndpoint.secretProvisioning WorkerInstanceGroup.tokenId FeatureFlag.key EnvironmentVariable.key WorkerDeployment.shortCode
      TaskSchedule.deduplicationKey OrganizationIntegration.tokenReferenceId BulkActionGroup.dedupeKey TaskEvent.tracestate`,
  },
  Twenty: {
    hide: `AppToken.value ApiKey.token Workspace.inviteHash User.passwordHash ConnectedAccount.accessToken ConnectedAccount.refreshToken
      TwoFactorMethod.secret WorkspaceSSOIdentityProvider.clientSecret PostgresCredentials.passwordHash KeyValuePair.encryptedValue`,
    show: `AppToken.type KeyValuePair.key ConnectedAccount.handle Workspace.displayName FeatureFlag.key WorkspaceSSOIdentityProvider.clientID`,
  },
  Umami: {
    hide: `User.password Team.accessCode`,
    show: `WebsiteEvent.sessionId EventData.dataKey SessionData.dataKey Revenue.currency Report.parameters:Json Website.shareId Website.resetBy`,
  },
  'saas-starter-kit': {
    hide: `User.password Invitation.token PasswordReset.token ApiKey.hashedKey Session.sessionToken`,
    show: `jackson_ttl.key Invitation.invitedBy Service.name Price.billingScheme Account.session_state`,
  },
  'Other words for it': {
    hide: `Server.connectionString Tenant.databaseUrl Wallet.mnemonic Wallet.seedPhrase Customer.ssn Card.cvv Card.cardNumber
      Usuario.senha Benutzer.passwort Gebruiker.wachtwoord Usuario.contraseña User.resetPasswordToken User.password_digest
      User.confirmation_token User.accesstoken Bot.apikey Device.hashedpassword Channel.streamKey Account.smtpPassword
      Source.sshKey Room.joinCode Phone.verificationCode Login.smsCode User.securityAnswer Job.cookies
      Space.previewToken Site.previewSecret
      User.session Session.session Session.sid Session.sess:Json User.hashed_rt User.hashedRt User.hashedRefreshToken User.rtHash
      PasswordReset.resetLink Team.inviteLink Login.magicLink User.magic_link Order.inviteUrl Reset.resetUrl Webhook.authorization
      Request.authorization Header.proxyAuthorization File.dek Tenant.kek File.encryptedDek User.salt User.password_salt Login.otp
      User.emailOtp Card.pin User.pinHash User.pin_code Wallet.recoveryPhrase Wallet.seed Wallet.walletSeed Game.serverSeed
      Wallet.seedWords Wallet.mnemonicPhrase Wallet.privateKey Wallet.privKey Endpoint.webhookSigningKey Endpoint.hmacKey
      Issuer.jwks:Json Issuer.jwk:Json User.rememberDigest User.activationKey User.resetKey Telegram.sessionString
      Browser.sessionKey Integration.creds:Json Wifi.psk Vpn.presharedKey Credential.data Credentials.value:Json Credential.payload:Json
      Subscription.auth Door.doorCode User.pw User.srpVerifier User.pepper Setting.smtpPass Source.dbPass User.saltedHash User.otpUrl User.totpUri Chat.encKey
      User.verifyCode User.twoFactorCode User.twoFaCode Account.unlockCode Push.privateVapidKey Certificate.privatePem Idp.privateRsaKey
      File.aesKey Server.tlsKey Server.sslKey Mail.pgpKey Device.authKey Source.mongoUri Source.postgresUrl Workspace.openaiKey
      Workspace.openAIKey Shop.stripeKey Mail.sendgridKey`,
    show: `Erc20.tokenSymbol Erc20.tokenAddress Nft.tokenUri Usage.tokenUsage Post.secretary Airport.iataCode Address.postalCode
      Coupon.code Country.code Employee.pinnedNote Cache.hash File.contentHash Commit.hash Page.nextPageToken Theme.designToken
      User.securityQuestion Ticket.passType Board.keyboard Order.trackingCode Product.sku Line.discountCode Setting.key
      Password.strengthLabel Person.passportCountry Lock.keyHolderId Key.tokenPreview Flight.boardingPass Exam.pass Policy.passwordPolicy Config.oauthProvider
      Event.sessionId Booking.sessionName Talk.sessionTitle Call.callSid Message.messageSid Account.accountSid User.lastSession
      Team.inviteLinkEnabled Invite.inviteLinkExpiresAt Client.authorizationUrl Client.authorizationEndpoint Client.authorizationType
      Client.jwksUri File.dekVersion File.kekId Photo.saltwater Pin.pinned Board.pinnedBy Address.pincode Avatar.avatarSeed
      Simulation.randomSeed Race.seeded User.resetBy Idp.loginUrl Device.verificationUrl Post.permalink Post.shareLink
      Profile.socialLinks:Json Meeting.joinUrl Feed.feedUrl Author.authorName Order.authorizedBy Item.sku Row.rtl
      Article.hashtag Chat.chatKey Translation.key Dataset.dataKey Shop.storeKey Employee.passportCountry
      Unit.conversionFactorCode Post.privateNote Server.tlsKeyId Server.sslKeyName User.verifyUrl Source.mongoDatabase Post.aiKeywords
      Shop.stripeKeyId Mail.sendgridTemplate Account.unlockReason User.twoFactorMethod`,
  },
}

/** Reads them. */
export function judgedNames(names: Readonly<Record<string, Judged>>): readonly JudgedName[] {
  return Object.entries(names).flatMap(([app, { hide, show }]) => [
    ...parse(app, hide, true),
    ...parse(app, show, false),
  ])
}

/** All that the rule was written with. */
export const JUDGED_NAMES: readonly JudgedName[] = judgedNames(NAMES)

function parse(app: string, text: string, isSecret: boolean): readonly JudgedName[] {
  return text
    .trim()
    .split(/\s+/)
    .map((each) => {
      const [path = '', type = 'String'] = each.split(':')
      const [model = '', name = ''] = path.split('.')
      return { app, model, name, type, isSecret }
    })
}
