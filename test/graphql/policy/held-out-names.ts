/**
 * Names from schemas that were read after the rule about names was written, and each judged before the rule was asked: how well it does on what it
 * has not seen. A name that the rule gets wrong stays here; it may be repaired by a rule about its kind, never by its own word alone.
 */
import { type JudgedName, judgedNames } from './judged-names.ts'

export const HELD_OUT_NAMES: readonly JudgedName[] = judgedNames({
  Typebot: {
    hide: `Account.refresh_token Account.access_token Account.id_token Account.oauth_token_secret Account.oauth_token Session.sessionToken
      ApiToken.token Credentials.data VerificationToken.token`,
    show: `Account.token_type Account.scope Account.session_state ApiToken.name ApiToken.ownerId Credentials.name Credentials.type
      Credentials.iv Coupon.code Typebot.publicId Typebot.whatsAppCredentialsId Result.lastChatSessionId Webhook.url Webhook.headers:Json
      ChatSession.state:Json ClaimableCustomPlan.vatValue SetVariableHistoryItem.value:Json VerificationToken.identifier User.referral
      ThemeTemplate.theme:Json CustomDomain.name`,
  },
  Peppermint: {
    hide: `Provider.clientSecret Session.sessionToken PasswordResetToken.code User.password Webhooks.secret Discord.secret Slack.secret
      Email.pass Config.encryption_key:Bytes EmailQueue.password`,
    show: `Provider.clientId Provider.issuer Provider.tenantId Provider.redirectUri Email.user Email.host Email.reply Config.sso_provider
      Uptime.webhook EmailQueue.username EmailQueue.hostname Ticket.linked:Json knowledgeBase.author Webhooks.createdBy Webhooks.url`,
  },
  Plunk: {
    hide: 'User.password Project.secret',
    show: `Project.public Project.cardVerificationIntent Project.cardVerificationSession Project.customer Domain.dkimTokens:Json
      Email.messageId Email.headers:Json Workflow.triggerConfig:Json Segment.condition:Json WorkflowExecution.exitReason Template.replyTo`,
  },
  Keyshade: {
    hide: `PersonalAccessToken.hash CliSession.tokenHash BrowserSession.tokenHash ServiceAccountAccessToken.hash Project.privateKey
      SecretVersion.value`,
    show: `PersonalAccessToken.name DeviceDetail.encryptedIpAddress DeviceDetail.agent Project.publicKey Event.metadata User.referralCode
      Integration.metadata Integration.slug SecretVersion.secretId SecretVersion.environmentId WorkspaceRole.colorCode Notification.link
      Subscription.vendorCustomerId OnboardingAnswers.heardFrom`,
  },
  Linkwarden: {
    hide: `Account.refresh_token Account.access_token Account.id_token User.password VerificationToken.token PasswordResetToken.token
      AccessToken.token`,
    show: `PasswordResetToken.identifier AccessToken.name Account.token_type Account.session_state User.unverifiedNewEmail User.referredBy
      Link.preview Link.textContent Link.readable Subscription.stripeSubscriptionId RssSubscription.url Collection.iconWeight`,
  },
  'Open Assistant': {
    hide: 'Account.refresh_token Account.access_token Account.id_token Session.sessionToken VerificationToken.token',
    show: 'Account.token_type Account.session_state BackendInfo.frontendUserId RegisteredTask.task:Json TaskInteraction.content:Json',
  },
  Teable: {
    hide: `Base.schemaPass User.password User.salt Attachments.token AttachmentsTable.token Invitation.invitationCode AccessToken.sign`,
    show: `View.shareId View.shareMeta Attachments.hash Attachments.path Attachments.bucket User.notifyMeta AccessToken.scopes
      AccessToken.name Account.providerId Reference.fromFieldId Ops.docId Snapshots.data Field.lookupOptions TableMeta.dbTableName
      InvitationRecord.inviter`,
  },
  'Evolution API': {
    hide: 'Instance.token Session.creds Chatwoot.token Proxy.password OpenaiCreds.apiKey',
    show: `Session.sessionId Message.key:Json MessageUpdate.keyId Typebot.keywordFinish Chatwoot.signDelimiter OpenaiBot.functionUrl
      Proxy.username Proxy.host IntegrationSession.sessionId IntegrationSession.context:Json Message.webhookUrl Instance.ownerJid
      Instance.profilePicUrl Contact.pushName`,
  },
  Civitai: {
    hide: 'Account.refresh_token Account.access_token Account.id_token Session.sessionToken VerificationToken.token',
    show: `Account.token_type Account.metadata:Json UserReferralCode.code UserReferralCode.note UserReferral.source User.customerId
      User.subscriptionId CustomerSubscription.metadata:Json Price.interval Product.defaultPriceId License.url UserLink.url Import.data:Json`,
  },
})
